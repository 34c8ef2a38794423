import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from clipfg.errors import DataError
from clipfg.functional.similarity import cosine_logits, probabilities, top_classes, unit_norm

ROWS = hnp.arrays(
    np.float32, hnp.array_shapes(min_dims=2, max_dims=2), elements=st.floats(-100, 100, width=32)
)


def test_cosine_logits_are_scaled_cosines_and_a_bias() -> None:
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(4, 7)), rng.normal(size=(3, 7))
    expected = [[100 * a @ b / (np.linalg.norm(a) * np.linalg.norm(b)) - 10 for b in w] for a in x]
    got = cosine_logits(
        unit_norm(torch.tensor(x)), unit_norm(torch.tensor(w)), scale=100.0, bias=-10.0
    )
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-4)


def test_cosine_logits_refuse_another_width(unchecked) -> None:
    with pytest.raises(DataError, match=r"width 8.*got width 4"):
        cosine_logits(torch.ones(2, 4), torch.ones(3, 8))


@given(ROWS)
def test_normalising_twice_is_normalising_once(rows) -> None:
    rows[:, 0] += np.where(rows[:, 0] >= 0, 1, -1).astype(np.float32)  # no zero rows
    once = unit_norm(torch.from_numpy(rows))
    np.testing.assert_allclose(np.linalg.norm(once, axis=1), 1, atol=1e-6)
    assert torch.equal(unit_norm(once), once)


@pytest.mark.parametrize("bad", [0.0, float("nan"), float("inf")])
def test_unit_norm_names_the_row_it_cannot_scale(bad) -> None:
    rows = torch.ones(3, 2)
    rows[1] = bad
    with pytest.raises(DataError, match=r"1 that are not \(first: 1\)"):
        unit_norm(rows)


def test_probabilities() -> None:
    logits = torch.tensor([[0.0, np.log(3.0)]], dtype=torch.float32)
    torch.testing.assert_close(probabilities(logits), torch.tensor([[0.25, 0.75]]))
    torch.testing.assert_close(probabilities(logits, "sigmoid"), torch.tensor([[0.5, 0.75]]))


def test_probabilities_refuse_another_scoring(unchecked) -> None:
    with pytest.raises(DataError, match="'softmax' or 'sigmoid', got 'cosine'"):
        probabilities(torch.zeros(1, 2), "cosine")  # type: ignore[arg-type]


@given(hnp.arrays(np.float32, (5, 6), elements=st.sampled_from([0, 1, 2, 3])), st.integers(1, 6))
def test_top_classes_break_ties_by_index(logits, k) -> None:
    expected = [sorted(range(6), key=lambda c: (-row[c], c))[:k] for row in logits]
    before = logits.copy()
    assert top_classes(torch.from_numpy(logits), k).tolist() == expected
    np.testing.assert_array_equal(logits, before)


@pytest.mark.parametrize("k", [0, 4])
def test_top_classes_refuse_k_outside_the_classes(k) -> None:
    with pytest.raises(DataError, match="from 1 to 3 classes"):
        top_classes(torch.zeros(2, 3), k)
