"""Transductive refinements: they use all images to be classified, without labels, at once.

Each takes unit-norm features `[n, d]` of the pool and its text logits `[n, c]`, and returns logits
of the same shape. The result depends on the other images of the pool (with `tda`, on their order),
so figures are marked as transductive wherever they are shown.
"""

from typing import Protocol

from jaxtyping import Float
from torch import Tensor

from clipfg.errors import DataError
from clipfg.registry import Registry

FEW = 10
"""Images a class below which `transclip` is warned of."""


class Transduction(Protocol):
    """Maps pool features and text logits to refined logits; it never sees labels."""

    def __call__(
        self, features: Float[Tensor, "n d"], logits: Float[Tensor, "n c"]
    ) -> Float[Tensor, "n c"]:
        """The refined logits; their softmax is the probability of each class."""
        ...


TRANSDUCTIONS: Registry[Transduction] = Registry("transductive method", "clipfg.transductions")
TRANSDUCTIONS.register_all(
    "clipfg.heads",
    (
        "label-propagation",
        "label_propagation:label_propagation",
        "The safest: similar images agree",
    ),
    ("transclip", "transclip:transclip", "For many images of every class; harms small pools"),
    ("tda", "tda:tda", "For images that arrive one by one; small effect"),
)


def caution(method: str, images: int, classes: int) -> str:
    """What has to be known of a method on so many images of so many classes; often nothing.

    With fewer than ten images a class TransCLIP took 7 to 37 points off zero-shot accuracy on real
    features (`python -m benchmarks.refinements`): its Gaussians outweigh the texts.
    """
    if method != "transclip" or images >= FEW * classes:
        return ""
    return (
        f"transclip estimates {classes:,} classes from {images:,} images here, and needs {FEW} and"
        " more of each: it can be far worse than the texts alone; label-propagation is safer"
    )


def check_pool(features: Tensor, logits: Tensor) -> None:
    """Raises `DataError` unless there are as many features as logits, and at least two."""
    if len(features) != len(logits) or len(features) < 2:
        raise DataError(
            "Expected a pool of two or more images, with features and logits of each, got"
            f" {len(features)} and {len(logits)}."
        )
