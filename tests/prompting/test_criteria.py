import numpy as np
import pytest
import torch

from clipfg.functional.similarity import unit_norm
from clipfg.prompting.criteria import CHOSEN, CRITERIA, NEIGHBOURS


def case(seed: int = 0):
    rng = np.random.default_rng(seed)
    logits = torch.from_numpy(rng.normal(size=(20, 4)) * 3).float()
    return logits, unit_norm(torch.from_numpy(rng.normal(size=(20, 6))).float())


def by_loop(name: str, logits: torch.Tensor, features: torch.Tensor) -> float:
    raw, x = logits.numpy().astype(float), features.numpy().astype(float)
    p = [np.exp(row) / np.exp(row).sum() for row in raw]
    mean = np.mean(p, axis=0)
    if name == "confidence":
        return float(np.mean([max(row) for row in p]))
    if name == "margin":
        return float(np.mean([max(row - raw.mean(axis=0)) for row in raw]))
    if name == "information":
        each = np.mean([-sum(v * np.log(v) for v in row) for row in p])
        return float(-sum(v * np.log(v) for v in mean) - each)
    shared = []
    for i in range(len(x)):
        near = sorted((j for j in range(len(x)) if j != i), key=lambda j: -x[i] @ x[j])
        shared += [p[i] @ p[j] for j in near[:NEIGHBOURS]]
    expected = float(mean @ mean)
    return (float(np.mean(shared)) - expected) / (1 - expected)


@pytest.mark.parametrize("name", CRITERIA)
def test_against_a_plain_loop(name) -> None:
    logits, features = case()
    assert CRITERIA[name](logits, features) == pytest.approx(
        by_loop(name, logits, features), rel=1e-4
    )


def test_right_predictions_score_above_shuffled_and_constant_ones() -> None:
    labels = torch.arange(40) % 4
    features = unit_norm(torch.eye(4, 6)[labels] + 0.05 * torch.randn(40, 6))
    right = 5.0 * torch.eye(4)[labels]
    shuffled = right[torch.randperm(40, generator=torch.Generator().manual_seed(0))]
    constant = 5.0 * torch.eye(4)[torch.zeros(40, dtype=torch.long)]
    assert CHOSEN == "agreement"
    scores = [CRITERIA[CHOSEN](logits, features) for logits in (right, shuffled, constant)]
    assert scores[0] > 0.8
    assert max(scores[1:]) < 0.2
