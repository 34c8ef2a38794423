"""`similarity` on arrays against the same on tensors."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.testing import assert_allclose, assert_array_equal

from clipfg.errors import DataError
from clipfg.functional import array_similarity, similarity
from clipfg.prompting.ensembling import combine

LOGITS = arrays(
    np.float32,
    array_shapes(min_dims=2, max_dims=2, max_side=7),
    elements=st.floats(-200, 200, width=32),
)


@given(LOGITS)
@pytest.mark.parametrize("scoring", ["softmax", "sigmoid"])
def test_probabilities(scoring: similarity.Scoring, logits: np.ndarray) -> None:
    own = array_similarity.probabilities(logits, scoring)
    assert own.dtype == np.float32
    known = similarity.probabilities(torch.from_numpy(logits), scoring)
    assert_allclose(own, known, rtol=1e-5, atol=1e-37)


@given(LOGITS.map(np.round), st.data())
def test_top_classes_with_ties(logits: np.ndarray, data: st.DataObject) -> None:
    k = data.draw(st.integers(1, logits.shape[1]))
    known = similarity.top_classes(torch.from_numpy(logits), k)
    assert_array_equal(array_similarity.top_classes(logits, k), known)


@pytest.mark.parametrize("k", [0, 4])
def test_top_classes_of_no_or_too_many(k: int) -> None:
    with pytest.raises(DataError, match="from 1 to 3"):
        array_similarity.top_classes(np.ones((2, 3), np.float32), k)


def test_cosine_logits() -> None:
    x, w = torch.randn(5, 8), torch.randn(3, 8)
    known = similarity.cosine_logits(x, w, 100.0, -10.0)
    assert_allclose(
        array_similarity.cosine_logits(x.numpy(), w.numpy(), 100.0, -10.0),
        known,
        rtol=1e-5,
        atol=1e-3,
    )
    with pytest.raises(DataError, match="width"):
        array_similarity.cosine_logits(x.numpy(), w.numpy()[:, 1:])


def test_class_means() -> None:
    rows = similarity.unit_norm(torch.randn(9, 8))
    owners = torch.tensor([0, 0, 1, 2, 2, 2, 0, 1, 1])
    known = combine(rows, owners, renormalise=False)
    assert_allclose(array_similarity.class_means(rows.numpy(), owners.numpy()), known, atol=1e-6)
