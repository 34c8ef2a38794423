from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from clipfg.functional.similarity import unit_norm


@dataclass(frozen=True)
class Problem:
    """Overlapping classes whose spread differs between directions, and texts that hint at them."""

    x: Tensor
    labels: Tensor
    texts: Tensor
    queries: Tensor
    truth: Tensor

    @property
    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        tensors = (self.x, self.texts, self.queries)
        return (*(t.double().numpy() for t in tensors), self.labels.numpy())


def make_problem(shots: int, classes: int = 6, width: int = 20, seed: int = 0) -> Problem:
    rng = np.random.default_rng(seed)
    spread = (
        np.diag(np.linspace(0.05, 0.6, width)) @ np.linalg.qr(rng.normal(size=(width, width)))[0]
    )
    centres = 1 + 0.5 * rng.normal(size=(classes, width))

    def draw(each: int) -> tuple[Tensor, Tensor]:
        labels = np.repeat(np.arange(classes), each)
        x = centres[labels] + rng.normal(size=(len(labels), width)) @ spread
        return unit_norm(torch.tensor(x)), torch.tensor(labels)

    x, labels = draw(shots)
    queries, truth = draw(40)
    texts = unit_norm(torch.tensor(centres + 0.4 * rng.normal(size=centres.shape)))
    return Problem(x, labels, texts, queries, truth)


@pytest.fixture
def problem() -> Problem:
    return make_problem(shots=8)


@pytest.fixture
def one_shot() -> Problem:
    return make_problem(shots=1)
