"""The interface of an active learning strategy, and their registry."""

from dataclasses import dataclass
from typing import Protocol

from jaxtyping import Float, Int
from torch import Tensor

from clipfg.errors import UsageError
from clipfg.registry import Registry


@dataclass(frozen=True)
class UnlabelledPool:
    """Images without a label, and what is known about them.

    `features` are their unit-norm rows, `labelled` those of the images that are labelled already,
    if any. `probabilities` are calibrated; None if there is no classifier yet.
    """

    features: Float[Tensor, "n d"]
    labelled: Float[Tensor, "m d"]
    probabilities: Float[Tensor, "n c"] | None = None
    seed: int = 0

    def __len__(self) -> int:
        return len(self.features)

    def check(self, budget: int) -> int:
        """The budget, limited to the size of the pool. Raises `UsageError` for one below 1."""
        if budget < 1:
            raise UsageError(f"Expected a budget of 1 or more labels, got {budget}.")
        return min(budget, len(self))


class AcquisitionStrategy(Protocol):
    """Positions of `budget` different images (or of all), in the order in which to label them.

    It never sees the labels of these images. Raises `UsageError` for a budget below 1.
    """

    def __call__(self, pool: UnlabelledPool, budget: int) -> Int[Tensor, " b"]:
        """The images to label next."""
        ...


STRATEGIES: Registry[AcquisitionStrategy] = Registry("strategy", "clipfg.acquisition")
STRATEGIES.register_all(
    "clipfg.acquisition",
    (
        "uherding",
        "kernel_coverage:uherding",
        "Best default: covers the images, weighted by uncertainty",
    ),
    ("maxherding", "kernel_coverage:maxherding", "Covers the images; needs no class probabilities"),
    ("typiclust", "typiclust:typiclust", "The most typical image of each unlabelled cluster"),
    ("k-center", "k_center:k_center", "The images farthest from all labels, outliers included"),
    (
        "margin",
        "least_certain:margin",
        "Smallest margin between the top two classes; weak with few labels",
    ),
    ("entropy", "least_certain:entropy", "Images of the least certain class; can lose to random"),
    ("badge", "badge:badge", "Images that would change the classifier most, all different"),
    ("random", "random:random", "The control that every other strategy has to beat"),
)
