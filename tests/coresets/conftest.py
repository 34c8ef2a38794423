from dataclasses import dataclass

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from clipfg.coresets import CoresetKeys


@dataclass(frozen=True)
class Problem:
    """Overlapping classes whose spread differs between directions."""

    x: Tensor
    labels: Tensor
    queries: Tensor
    truth: Tensor

    def accuracy(self, coreset: CoresetKeys) -> float:
        nearest = (self.queries @ coreset.keys.T).argmax(dim=1)
        return float((coreset.labels[nearest] == self.truth).float().mean())


def make_problem(items: int = 16, classes: int = 12, clusters: int = 1, seed: int = 0) -> Problem:
    generator = torch.Generator().manual_seed(seed)
    width = 24
    spread = torch.diag(torch.linspace(0.1, 1.2, width))
    spread = spread @ torch.linalg.qr(torch.randn(width, width, generator=generator)).Q
    centres = 1 + 0.5 * torch.randn(classes * clusters, width, generator=generator)

    def draw(each: int) -> tuple[Tensor, Tensor]:
        kinds = torch.arange(classes * clusters).repeat_interleave(each // clusters)
        noise = torch.randn(len(kinds), width, generator=generator) @ spread
        return normalize(centres[kinds] + noise, dim=1), kinds % classes

    return Problem(*draw(items), *draw(80))


@pytest.fixture(scope="session")
def problem() -> Problem:
    return make_problem()


@pytest.fixture(scope="session")
def clustered() -> Problem:
    """Each class is four clusters."""
    return make_problem(items=40, clusters=4, seed=1)
