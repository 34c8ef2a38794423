import pytest
import torch

from clipfg.errors import DataError
from clipfg.functional.positions import join_positions, stretch_positions


@pytest.mark.parametrize(("rows", "expected"), [(77, 248), (64, 196), (22, 28)])
def test_stretching_equals_the_formula_row_by_row(rows, expected) -> None:
    old = torch.randn(rows, 7, generator=torch.Generator().manual_seed(rows))
    new = stretch_positions(old)
    assert new.shape == (expected, 7)
    assert torch.equal(new[:20], old[:20])
    assert torch.equal(new[20::4], old[20:])
    for i in range(rows - 21):
        for j in range(4):
            wanted = ((4 - j) * old[20 + i] + j * old[21 + i]) / 4
            torch.testing.assert_close(new[20 + 4 * i + j], wanted)
    for j in range(4):
        wanted = old[-1] + j * (old[-1] - old[-2]) / 4
        torch.testing.assert_close(new[expected - 4 + j], wanted)


def test_too_few_rows() -> None:
    with pytest.raises(DataError, match="22 positions"):
        stretch_positions(torch.zeros(21, 3))


def test_joining_takes_twenty_rows_of_the_first() -> None:
    short, long = torch.zeros(24, 2), torch.ones(24, 2)
    assert join_positions(short, long)[:, 0].tolist() == [0] * 20 + [1] * 4
