import itertools

import numpy as np
import pytest
import torch

from clipfg.coresets.k_center import KCenter


@pytest.fixture
def rows() -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.nn.functional.normalize(torch.randn(14, 5, generator=generator), dim=1)


def test_it_is_the_greedy_of_gonzalez(rows) -> None:
    x = rows.double().numpy()
    start = int(np.argmin(((x - x.mean(axis=0)) ** 2).sum(axis=1)))
    expected = [start]
    while len(expected) < 6:
        far = [min(np.linalg.norm(x[i] - x[j]) for j in expected) for i in range(len(x))]
        expected.append(int(np.argmax(far)))
    got = KCenter().condense(rows, torch.zeros(14, dtype=torch.long), 6)
    assert got.exemplars.tolist() == expected
    assert torch.equal(got.keys, rows[got.exemplars])


def test_its_radius_is_at_most_twice_the_best(rows) -> None:
    distances = torch.cdist(rows, rows)

    def radius(chosen) -> float:
        return float(distances[:, list(chosen)].amin(dim=1).max())

    best = min(radius(chosen) for chosen in itertools.combinations(range(14), 3))
    got = KCenter().condense(rows, torch.zeros(14, dtype=torch.long), 3)
    assert best <= radius(got.exemplars.tolist()) <= 2 * best


def test_a_larger_budget_adds_to_a_smaller(rows) -> None:
    labels = torch.zeros(14, dtype=torch.long)
    few, many = (KCenter().condense(rows, labels, m).exemplars for m in (4, 9))
    assert torch.equal(few, many[:4])
