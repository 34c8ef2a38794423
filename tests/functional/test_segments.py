"""Runs of rows against loops."""

import torch

from clipfg.functional.segments import (
    segment_max,
    segment_softmax,
    segment_sum,
    weighted_means,
)

OFFSETS = torch.tensor([0, 3, 4, 9])
VALUES = torch.randn(9, 2, generator=torch.Generator().manual_seed(0))
RUNS = list(VALUES.tensor_split(OFFSETS[1:-1].tolist()))


def test_runs_are_reduced_one_by_one() -> None:
    torch.testing.assert_close(segment_sum(VALUES, OFFSETS), torch.stack([r.sum(0) for r in RUNS]))
    most, rows = segment_max(VALUES, OFFSETS)
    assert torch.equal(most, torch.stack([r.amax(0) for r in RUNS]))
    assert torch.equal(VALUES.gather(0, rows), most)
    soft = torch.cat([r.softmax(dim=0) for r in RUNS])
    torch.testing.assert_close(segment_softmax(VALUES, OFFSETS), soft)
    few = segment_softmax(VALUES, OFFSETS)
    for weights in (few, few.repeat(1, 3)):  # fewer columns than runs, and more
        parts = zip(weights.tensor_split([3, 4]), RUNS, strict=True)
        torch.testing.assert_close(
            weighted_means(weights, VALUES, OFFSETS), torch.stack([w.T @ v for w, v in parts])
        )


def test_the_gradient_of_a_maximum_goes_to_the_first_row_that_has_it() -> None:
    values = torch.tensor([[1.0], [2.0], [2.0]], requires_grad=True)
    segment_max(values, torch.tensor([0, 3]))[0].sum().backward()
    assert values.grad is not None
    assert values.grad.flatten().tolist() == [0, 1, 0]
