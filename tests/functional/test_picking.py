from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import normalize

from clipfg.errors import DataError
from clipfg.functional.picking import pick


def candidates(seed: int, n: int) -> tuple[Tensor, Tensor]:
    """Rows of which every third repeats an earlier one, and labels, some of them unknown."""
    generator = torch.Generator().manual_seed(seed)
    rows = normalize(torch.randn(n, 4, generator=generator), dim=1)
    rows[2::3] = rows[0 : len(rows[2::3])]
    return rows, torch.randint(-1, 3, (n,), generator=generator)


@given(
    st.integers(0, 10_000),
    st.integers(0, 40),
    st.integers(1, 12),
    st.none() | st.integers(1, 3),
    st.none() | st.sampled_from([0.5, 0.8, 0.999]),
    st.booleans(),
)
def test_picking_by_hand(
    seed: int, n: int, k: int, per_class: int | None, duplicate: float | None, photo: bool
) -> None:
    rows, labels = candidates(seed, n)
    above = rows[:1] if photo else None
    picked = pick(rows, labels, k, per_class=per_class, duplicate=duplicate, above=above).tolist()
    assert picked == sorted(set(picked))
    assert len(picked) <= k

    def passes(position: int, kept: list[int]) -> bool:
        seen = ([] if above is None else [above[0]]) + [rows[other] for other in kept]
        label = int(labels[position])
        if duplicate is not None and any(float(rows[position] @ o) >= duplicate for o in seen):
            return False
        others = Counter(int(labels[other]) for other in kept)
        return per_class is None or label < 0 or others[label] < per_class

    last = picked[-1] if len(picked) == k else n - 1
    for position in range(last + 1):
        before = [other for other in picked if other < position]
        assert (position in picked) == passes(position, before)


def test_without_limits_the_first_k() -> None:
    rows, labels = candidates(0, 9)
    assert pick(rows, labels, 4).tolist() == [0, 1, 2, 3]
    assert pick(rows[:0], labels[:0], 4).tolist() == []


def test_numbers_below_one_are_refused() -> None:
    rows, labels = candidates(0, 3)
    with pytest.raises(DataError, match="of at least 1"):
        pick(rows, labels, 0)
    with pytest.raises(DataError, match="of at least 1"):
        pick(rows, labels, 1, per_class=0)
