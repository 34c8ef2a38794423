import itertools

import numpy as np
import torch
from torch.nn.functional import normalize

from clipfg.coresets.herding import Herding


def test_each_step_is_the_best_by_brute_force(problem) -> None:
    rows = problem.x[problem.labels == 0].double().numpy()
    got = Herding().condense(problem.x, problem.labels, 6)
    chosen: list[int] = []
    for j in range(6):
        gaps = {
            i: np.linalg.norm(rows.mean(axis=0) - rows[[*chosen, i]].mean(axis=0))
            for i in range(len(rows))
            if i not in chosen
        }
        chosen.append(min(gaps, key=lambda i: gaps[i]))
        assert len(chosen) == j + 1
    expected = (problem.labels == 0).nonzero().flatten()[chosen]
    assert got.exemplars[:6].tolist() == expected.tolist()


def test_its_mean_is_nearer_than_most_subsets() -> None:
    generator = torch.Generator().manual_seed(0)
    rows = normalize(torch.randn(12, 4, generator=generator), dim=1)
    got = Herding().condense(rows, torch.zeros(12, dtype=torch.long), 4).exemplars

    def gap(chosen) -> float:
        return float((rows.mean(dim=0) - rows[list(chosen)].mean(dim=0)).norm())

    gaps = sorted(gap(chosen) for chosen in itertools.combinations(range(12), 4))
    assert gap(got.tolist()) < gaps[len(gaps) // 20]
