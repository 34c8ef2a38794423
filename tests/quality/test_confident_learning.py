import math

import numpy as np
import pytest
import torch

from benchmarks.lint import checks, plant
from clipfg.embedding.feature_files import read_features
from clipfg.errors import DataError
from clipfg.quality.confident_learning import LabelIssues, confident_learning


def by_hand(odds: np.ndarray, labels: np.ndarray) -> tuple[set[int], float]:
    """Northcutt et al. 2021: thresholds, confident joint, least confident."""
    n, c = odds.shape
    own = {j: [i for i in range(n) if labels[i] == j] for j in range(c)}
    thresholds = {j: np.mean([odds[i, j] for i in rows]) for j, rows in own.items() if rows}
    joint = np.zeros((c, c))
    for i in range(n):
        above = [j for j in thresholds if odds[i, j] >= thresholds[j]]
        if above:
            joint[labels[i], max(above, key=lambda j: odds[i, j])] += 1
    wrong = 0.0
    for j, rows in own.items():
        if not rows or not joint[j].sum():
            continue
        wrong += len(rows) * (1 - joint[j, j] / joint[j].sum())
    doubted = [i for i in range(n) if odds[i].argmax() != labels[i]]
    doubted.sort(key=lambda i: odds[i, labels[i]])
    return set(doubted[: round(wrong)]), wrong / n


@pytest.mark.parametrize("seed", range(5))
def test_against_a_plain_loop(seed) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 5, 200)
    logits = rng.normal(size=(200, 6)) + 3 * np.eye(6)[labels]
    labels[:20] = (labels[:20] + 1) % 5  # class 5 has no item
    odds = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    suspects, noise = by_hand(odds, labels)
    blocks = torch.tensor(odds).split(64)
    found = confident_learning(blocks, torch.tensor(labels), classes=6)
    assert set(found.suspects.nonzero().flatten().tolist()) == suspects
    assert suspects
    assert found.noise == pytest.approx(noise, abs=1e-6)
    assert found.suggested.tolist() == odds.argmax(axis=1).tolist()
    assert found.share.tolist() == pytest.approx(odds.max(axis=1).tolist())
    assert found.confidence.tolist() == pytest.approx(odds[np.arange(200), labels].tolist())


def test_confident_and_correct_labels_are_not_suspected() -> None:
    found = confident_learning([torch.eye(3)], torch.arange(3), 3)
    assert not found.suspects.any()
    assert found.noise == 0


def test_labels_out_of_range_are_refused() -> None:
    with pytest.raises(DataError, match="from 0 to 2"):
        confident_learning([torch.eye(3)], torch.tensor([0, 1, 3]), 3)
    for count in (2, 4):
        with pytest.raises(DataError, match="a label for each"):
            confident_learning([torch.eye(3)], torch.zeros(count, dtype=torch.long), 3)


def test_the_clearest_are_those_of_the_highest_odds_as_many_as_are_likely() -> None:
    """Two of four suspects have an other class with half: an easy image, and a flipped one."""
    found = LabelIssues(
        suspects=torch.tensor([True, True, True, True, False]),
        confidence=torch.tensor([0.3, 0.01, 0.001, 0.2, 0.6]),
        suggested=torch.tensor([1, 1, 1, 1, 0]),
        share=torch.tensor([0.55, 0.6, 0.4, 0.3, 0.6]),
        noise=0.8,
    )
    assert found.odds.tolist() == pytest.approx(
        [math.log(a / b) for a, b in ((0.55, 0.3), (0.6, 0.01), (0.4, 0.001), (0.3, 0.2), (1, 1))],
        abs=1e-6,
    )
    assert found.clearest().nonzero().flatten().tolist() == [1, 2]
    sure = found._replace(suspects=torch.tensor([True] * 5), share=torch.full((5,), 0.6))
    assert not sure.clearest()[4]  # its own label is the most likely


@pytest.mark.parametrize("kind", ["any class", "alike class"])
def test_real_features_with_flipped_labels(kind, shared) -> None:
    """Aircraft's classes are hard: where another class has half says little of the label there."""
    data = read_features(shared / "data/clip-features/fgvc.npz")
    kept = data.labels % 4 == 1
    x = torch.from_numpy(data.pooled[kept]).float()
    _, truth = torch.unique(torch.from_numpy(data.labels[kept]), return_inverse=True)
    given = plant(x, truth, kind)
    flags = {name: found[0] for name, found in checks(x, given).items()}
    hits = {name: int((own & (given != truth)).sum()) for name, own in flags.items()}
    now, gate = "clipfg lint", "another class has half"
    assert abs(int(flags[now].sum()) - int(flags[gate].sum())) <= 1
    assert hits[now] >= (1.3 * hits[gate] if kind == "any class" else hits[gate])
