from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from clipfg.functional.similarity import unit_norm
from clipfg.heads.support import Support

CLASSES = 8


@dataclass(frozen=True)
class World:
    """Classes that overlap, and as many images of them as one cares to draw."""

    centres: np.ndarray
    noise: float = 0.9

    def draw(self, n: int, seed: int, classes: int = CLASSES) -> tuple[Tensor, Tensor]:
        rng = np.random.default_rng(seed)
        labels = np.arange(n) % classes
        x = self.centres[labels] + self.noise * rng.normal(size=(n, self.centres.shape[1]))
        return unit_norm(torch.tensor(x)), torch.tensor(labels)

    def support(self, each: int, seed: int = 0, classes: int = CLASSES) -> Support:
        x, labels = self.draw(each * classes, seed, classes)
        return Support(x, labels, classes)


@pytest.fixture(scope="session")
def world() -> World:
    return World(np.random.default_rng(7).normal(size=(CLASSES + 4, 12)))
