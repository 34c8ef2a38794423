import numpy as np
import pytest
import torch

from clipfg.heads.tip_adapter import TipAdapter
from clipfg.heads.zero_shot import ZeroShot
from tests.heads.conftest import make_problem


def test_it_is_the_papers_formula(problem) -> None:
    x, texts, queries, labels = problem.arrays
    head = TipAdapter(alpha=2.0, beta=3.0).fit(problem.x, problem.labels, problem.texts)
    got = head.logits(problem.queries)
    for query, row in zip(queries[:30], got, strict=False):
        expected = 100 * texts @ query
        for key, label in zip(x, labels, strict=True):
            expected[label] += 2 * np.exp(-3 * (1 - key @ query))
        np.testing.assert_allclose(row, expected, rtol=1e-4)


def test_alpha_0_is_zero_shot(problem) -> None:
    head = TipAdapter(alpha=0.0).fit(problem.x, problem.labels, problem.texts)
    texts = ZeroShot().fit(text_weights=problem.texts)
    assert torch.equal(head.logits(problem.queries), texts.logits(problem.queries))


def test_the_larger_beta_the_more_the_nearest_image_decides() -> None:
    problem = make_problem(shots=20, width=3)
    nearest = problem.labels[(problem.queries @ problem.x.T).argmax(1)]
    agree = []
    for beta in (1.0, 30.0, 1000.0):
        head = TipAdapter(beta=beta).fit(problem.x, problem.labels)
        agree.append((head.logits(problem.queries).argmax(1) == nearest).float().mean().item())
    assert agree[0] < agree[1] < agree[2]
    assert agree[2] > 0.95


@pytest.mark.parametrize("groups", [torch.arange(48), torch.arange(48) // 2 % 12])
def test_each_image_is_left_out_in_turn_with_its_group(problem, groups) -> None:
    head = TipAdapter().fit(problem.x, problem.labels, problem.texts, groups=groups)

    def right(alpha: float, beta: float) -> int:
        hits = 0
        for i in range(len(problem.x)):
            rest = groups != groups[i]
            one = TipAdapter(alpha, beta).fit(problem.x[rest], problem.labels[rest], problem.texts)
            hits += int(one.logits(problem.x[i : i + 1]).argmax() == problem.labels[i])
        return hits

    chosen = right(head.alpha_, head.beta_)
    assert all(chosen >= right(*other) for other in ((1.0, 5.5), (10.0, 5.5), (1.0, 40.0)))


def test_one_shot_falls_back_on_the_papers_values(one_shot) -> None:
    head = TipAdapter().fit(one_shot.x, one_shot.labels, one_shot.texts)
    assert (head.alpha_, head.beta_) == (1.0, 5.5)
