import pytest
import torch

from clipfg.functional.farthest_first import farthest_first
from clipfg.functional.similarity import unit_norm


@pytest.mark.parametrize("before", [None, 0, 1, 5])
def test_against_a_plain_loop(before) -> None:
    generator = torch.Generator().manual_seed(2)
    rows = unit_norm(torch.randn(30, 4, generator=generator))
    covered = None if before is None else unit_norm(torch.randn(5, 4, generator=generator))[:before]
    known = [] if covered is None else list(covered)
    expected: list[int] = []
    for _ in range(12):
        if known:
            gaps = [min(float((row - other).norm()) for other in known) for row in rows]
            best = max((i for i in range(30) if i not in expected), key=lambda i: gaps[i])
        else:
            best = int((rows - rows.mean(dim=0)).norm(dim=1).argmin())
        expected.append(best)
        known.append(rows[best])
    assert farthest_first(rows, 12, covered).tolist() == expected


def test_copies_are_all_chosen_once() -> None:
    rows = unit_norm(torch.ones(4, 3))
    assert sorted(farthest_first(rows, 4).tolist()) == [0, 1, 2, 3]
