import numpy as np
import pytest
import torch

from clipfg.heads.ape import APE, best_channels
from clipfg.heads.tip_adapter import TipAdapter


def test_channels_are_those_of_a_plain_loop(problem) -> None:
    texts = problem.arrays[1]
    criterion = []
    for channel in texts.T:
        pairs = [channel[i] * channel[j] for i in range(6) for j in range(6) if i != j]
        criterion.append(0.7 * np.mean(pairs) - 0.3 * np.var(channel))
    got = best_channels(problem.texts, 0.5)
    assert got.tolist() == np.argsort(criterion, kind="stable")[:10].tolist()


@pytest.mark.parametrize("gamma", [0.0, 0.3])
def test_it_is_the_papers_formula(problem, gamma) -> None:
    x, texts, queries, labels = problem.arrays
    head = APE(alpha=2.0, beta=3.0, gamma=gamma, scale=20.0)
    head.fit(problem.x, problem.labels, problem.texts)
    kept = head.channels_.numpy()
    unit = [t[:, kept] / np.linalg.norm(t[:, kept], axis=1)[:, None] for t in (x, texts, queries)]
    keys, refined_texts, refined = unit
    got = head.logits(problem.queries)
    for query, small, row in zip(queries[:30], refined, got, strict=False):
        expected = 20 * texts @ query
        for key, label in zip(keys, labels, strict=True):
            scores = np.exp(20 * refined_texts @ key)
            divergence = -np.log(scores[label] / scores.sum())
            near = np.exp(-3 * (1 - key @ small))
            expected[label] += 2 * near * np.exp(gamma * divergence)
        np.testing.assert_allclose(row, expected, rtol=1e-3)


def test_with_all_channels_and_gamma_0_it_is_tip_adapter(problem) -> None:
    head = APE(gamma=0.0, channels=1.0).fit(problem.x, problem.labels, problem.texts)
    plain = TipAdapter().fit(problem.x, problem.labels, problem.texts)
    torch.testing.assert_close(
        head.logits(problem.queries), plain.logits(problem.queries), rtol=1e-4, atol=1e-3
    )


def test_it_works_without_texts_and_with_one_shot(one_shot) -> None:
    head = APE().fit(one_shot.x, one_shot.labels)
    assert (head.alpha_, head.beta_, head.gamma_) == (1.0, 5.5, 0.0)
    assert torch.isfinite(head.logits(one_shot.queries)).all()
