import numpy as np
import pytest
import torch

from clipfg.errors import DataError
from clipfg.functional import neighbours
from clipfg.functional.neighbours import nearest_neighbours
from clipfg.functional.similarity import unit_norm


@pytest.mark.parametrize("cells", [40, 10**6])
def test_against_a_plain_loop_whole_and_in_blocks(cells, monkeypatch) -> None:
    monkeypatch.setattr(neighbours, "_CELLS", cells)
    x = unit_norm(torch.from_numpy(np.random.default_rng(0).normal(size=(17, 5))).float())
    similarities, positions = nearest_neighbours(x, 4)
    for i in range(17):
        others = sorted((j for j in range(17) if j != i), key=lambda j: -float(x[i] @ x[j]))
        assert positions[i].tolist() == others[:4]
        expected = [float(x[i] @ x[j]) for j in others[:4]]
        np.testing.assert_allclose(similarities[i], expected, atol=1e-6)


def test_no_more_than_there_are() -> None:
    _, positions = nearest_neighbours(torch.eye(3), 9)
    assert positions.shape == (3, 2)


@pytest.mark.parametrize(("rows", "k"), [(1, 1), (3, 0)])
def test_too_few(rows, k) -> None:
    with pytest.raises(DataError, match="at least two rows"):
        nearest_neighbours(torch.eye(rows), k)
