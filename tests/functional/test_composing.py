import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import normalize

from clipfg.errors import DataError
from clipfg.functional.composing import compose, spread

KEYS = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.6, 0.8, 0.0]])
NONE = torch.empty(0, 3)
X, Y = torch.tensor([[1.0, 0.0, 0.0]]), torch.tensor([[0.0, 1.0, 0.0]])


def random_rows(seed: int, *shape: int) -> Tensor:
    return normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def test_the_spread_by_hand() -> None:
    # Cosines of X: 1, 0, 0, .6 with mean .4; of Y: 0, 1, 0, .8 with mean .45.
    by_hand = [math.sqrt((0.36 + 0.16 + 0.16 + 0.04) / 4), math.sqrt(0.2025 * 2 / 4 + 0.425 / 4)]
    assert spread(torch.cat([X, Y]), KEYS).tolist() == pytest.approx(by_hand)


def test_a_query_that_separates_no_keys_is_not_scaled_up() -> None:
    assert spread(X, KEYS[:1]).tolist() == [1.0]
    assert spread(X, KEYS[:0]).tolist() == [1.0]


def test_composing_by_hand() -> None:
    s_x, s_y = spread(torch.cat([X, Y]), KEYS).tolist()
    query = compose(X, Y, NONE, KEYS, weight=0.25)
    expected = np.array([0.25 / s_x, 0.75 / s_y, 0])
    assert query.numpy() == pytest.approx(expected / np.linalg.norm(expected), abs=1e-6)
    for wanted, negated, expected in (
        ((X, NONE), Y, [1 / s_x, -0.5 / s_y, 0]),
        ((Y, NONE), X, [-0.5 / s_y, 1 / s_y, 0]),  # X spreads less than Y: not blown up
        ((NONE, Y), X, [-0.5 / s_x, 1 / s_y, 0]),  # a photo's spread is no measure of a text's
    ):
        less = compose(*wanted, negated, KEYS, aversion=0.5)
        length = np.linalg.norm(expected)
        assert less.numpy() == pytest.approx(np.array(expected) / length, abs=1e-6)


def test_texts_among_themselves_are_a_plain_mean() -> None:
    both = compose(torch.cat([X, Y]), NONE, NONE, KEYS)
    assert both.tolist() == pytest.approx([math.sqrt(0.5), math.sqrt(0.5), 0])


def test_one_text_or_photo_comes_back_unchanged() -> None:
    row = random_rows(0, 1, 3)
    assert torch.equal(compose(row, NONE, NONE, KEYS), row[0])
    assert torch.equal(compose(NONE, row, NONE, KEYS, weight=1.0), row[0])


@pytest.mark.parametrize(("weight", "side"), [(0.0, Y), (1.0, X)])
def test_at_the_ends_of_the_weight_one_side_is_left(weight: float, side: Tensor) -> None:
    assert torch.allclose(compose(X, Y, NONE, KEYS, weight=weight), side[0])


@given(st.integers(0, 10_000), st.floats(0, 1), st.integers(1, 3), st.integers(0, 3))
def test_one_vector_ranks_as_a_sum_of_standard_scores(
    seed: int, weight: float, photos: int, negated: int
) -> None:
    keys, rows = random_rows(seed, 40, 8), random_rows(seed + 1, 2 + photos + negated, 8)
    t, p, n = rows[:2], rows[2 : 2 + photos], rows[2 + photos :]
    query = compose(t, p, n, keys, weight=weight)

    def standard(row: Tensor) -> Tensor:
        cosines = keys @ row
        return (cosines - cosines.mean()) / cosines.std(correction=0)

    loop = weight * standard(normalize(t.mean(0), dim=0))
    loop += (1 - weight) * standard(normalize(p.mean(0), dim=0))
    for row in n:
        ratio = (keys @ row).std() / (keys @ normalize(t.mean(0), dim=0)).std()
        loop -= 0.5 * standard(row) * min(1.0, float(ratio))
    fast = keys @ query
    fast = (fast - fast.mean()) / fast.std(correction=0)
    torch.testing.assert_close(fast, loop / loop.std(correction=0), atol=1e-4, rtol=1e-4)
    assert float(query.norm()) == pytest.approx(1, abs=1e-5)


def test_what_is_negated_moves_down() -> None:
    plain, less = compose(X, NONE, NONE, KEYS), compose(X, NONE, Y, KEYS)
    assert (KEYS @ plain).argsort(descending=True)[:2].tolist() == [0, 3]
    assert (KEYS @ less)[[1, 3]].tolist() < (KEYS @ plain)[[1, 3]].tolist()
    assert KEYS[1] @ less < 0 <= KEYS[2] @ less
    assert KEYS[3] @ compose(X, NONE, Y, KEYS, aversion=1.0) < 0


def test_nothing_to_compose_is_refused() -> None:
    with pytest.raises(DataError, match="a text or a photo"):
        compose(NONE, NONE, X, KEYS)
    with pytest.raises(DataError, match="from 0 to 1"):
        compose(X, Y, NONE, KEYS, weight=1.5)
