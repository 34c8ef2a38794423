"""Rules that make one row of logits of several, against plain loops."""

import math

import pytest
import torch

from clipfg.errors import DataError
from clipfg.functional.group_logits import RULES, GroupLogits, group_logits


def by_loop(rows: list[list[float]], rule: str) -> list[float]:
    def shares(row: list[float]) -> list[float]:
        powers = [math.exp(value) for value in row]
        return [power / sum(powers) for power in powers]

    if rule == "mean-logits":
        return [sum(column) / len(rows) for column in zip(*rows, strict=True)]
    if rule == "surest":
        return max(rows, key=lambda row: max(shares(row)))
    return [math.log(sum(c) / len(rows)) for c in zip(*map(shares, rows), strict=True)]


@pytest.mark.parametrize("rule", RULES)
def test_batches_of_pictures_come_to_what_a_loop_does(rule: str) -> None:
    logits = 3 * torch.randn(11, 4, generator=torch.Generator().manual_seed(0))
    group = torch.tensor([2, 0, 0, 1, 2, 2, 0, 1, 2, 0, 2])
    pooled = GroupLogits(rule, 4, 4)
    for part in (slice(0, 3), slice(3, 11)):
        pooled.add(logits[part], group[part])
    for number in range(3):
        expected = by_loop(logits[group == number].tolist(), rule)
        assert pooled.logits[number].tolist() == pytest.approx(expected, abs=1e-5)
    assert pooled.counts.tolist() == [4, 2, 5, 0]
    assert torch.equal(pooled.logits[:3], group_logits(logits, group, rule))


def test_an_unknown_rule_is_named() -> None:
    with pytest.raises(DataError, match="mean-logits"):
        GroupLogits("vote", 1, 2)
