"""KeCO: keys of a class-balanced start that are moved by the samples that were left untapped.

What the online and the offline form share: which key of its own class a sample moves.
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self, get_args

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from clipfg.coresets.base import Coreset, CoresetKeys
from clipfg.coresets.random import Random
from clipfg.errors import DataError, UsageError
from clipfg.functional.similarity import unit_norm

Target = Literal["least", "most", "random", "prototype"]
"""Of the keys of a sample's class the least or the most similar to the sample by cosine, any, or
the one most similar to the mean of them all."""


class KeCO(Coreset):
    """A random class-balanced start whose keys are moved by all other items of their class.

    The keys move, the exemplars stay: a demonstration shows the start's own image.

    Parameters
    ----------
    target
        Which key of its own class an item moves.
    rate
        How far, from 0 (nothing moves) to 1.
    seed
        Of the start, of the order of the items, and of random targets.

    Source: Chen et al. 2025, arXiv:2504.14200.
    """

    targets: ClassVar[tuple[str, ...]] = get_args(Target)

    def __init__(self, target: Target = "least", rate: float = 0.2, seed: int = 0) -> None:
        self.target = target
        self.rate = rate
        self.seed = seed

    def _condense(
        self, features: Float[Tensor, "n d"], labels: Int[Tensor, " n"], per_class: int
    ) -> CoresetKeys:
        start = Random(self.seed).condense(features, labels, per_class)
        generator = torch.Generator().manual_seed(self.seed + 1)
        order = torch.randperm(len(features), generator=generator).to(features.device)
        untapped = order[~torch.isin(order, start.exemplars)]
        keys = self.update(
            start.keys, start.labels, features[untapped], labels[untapped], generator
        )
        return CoresetKeys(unit_norm(keys), start.labels, start.exemplars)

    @abstractmethod
    def update(
        self,
        keys: Float[Tensor, "m d"],
        key_labels: Int[Tensor, " m"],
        features: Float[Tensor, "n d"],
        labels: Int[Tensor, " n"],
        generator: torch.Generator,
    ) -> Float[Tensor, "m d"]:
        """The keys after the samples have moved them; nothing is scaled to unit norm."""


@dataclass(frozen=True)
class ByClass:
    """A copy of the keys, and which of them are of which class, for `keco_loops`.

    `keys` `[m, d]` are float64 as they came, or float32. Those of `classes[c]` are at
    `members[first[c] : first[c + 1]]`, with `members` `[m]` and `first` `[c + 1]`.
    """

    keys: NDArray[Any]
    members: NDArray[np.int64]
    first: NDArray[np.int64]
    classes: NDArray[np.int64]

    @classmethod
    def of(cls, keys: Float[Tensor, "m d"], key_labels: Int[Tensor, " m"]) -> Self:
        """Group keys that are in any order, on any device."""
        labels = key_labels.cpu().numpy()
        members = labels.argsort(kind="stable")
        classes, first = np.unique(labels[members], return_index=True)
        rows = _array(keys, keys.dtype == torch.float64).copy()
        return cls(rows, members, np.append(first, len(members)), classes)

    def samples(self, features: Float[Tensor, "n d"]) -> NDArray[Any]:
        """The features, of the keys' type."""
        return _array(features, self.keys.dtype == np.float64)

    def owners(self, labels: Int[Tensor, " n"]) -> NDArray[np.int64]:
        """Where in `classes` each sample's is. Raises `DataError` where a class has no key."""
        wanted = labels.cpu().numpy()
        owners = self.classes.searchsorted(wanted).clip(max=len(self.classes) - 1)
        lost = self.classes[owners] != wanted
        if lost.any():
            raise DataError(
                f"Expected a key of every sample's class, got none of class {wanted[lost][0]}"
                f" ({lost.sum()} samples); add one to the coreset first."
            )
        return owners


def _array(rows: Float[Tensor, "n d"], double: bool) -> NDArray[Any]:
    dtype = torch.float64 if double else torch.float32
    return rows.detach().to("cpu", dtype).contiguous().numpy()


def draw_targets(n: int, target: Target, generator: torch.Generator | None) -> Float[Tensor, " n"]:
    """A number from 0 to below 1 for each sample, in their order, which random targets follow."""
    if target != "random":
        return torch.zeros(n)
    return torch.rand(n, generator=generator)


def check_update(
    keys: Tensor, key_labels: Tensor, features: Tensor, labels: Tensor, rate: float, target: str
) -> None:
    """Raises `UsageError` for options that make no sense, `DataError` for shapes that do not fit.

    Features of shape `(1, d)` each would broadcast into scores of every key with every sample.
    """
    if not 0 <= rate <= 1 or target not in get_args(Target):
        raise UsageError(
            f"Expected a rate from 0 to 1 and a target of {', '.join(get_args(Target))}, got"
            f" {rate} and {target!r}."
        )
    if keys.ndim != 2 or features.ndim != 2 or keys.shape[1] != features.shape[1]:
        raise DataError(
            "Expected keys [m, d] and features [n, d], got shapes"
            f" {list(keys.shape)} and {list(features.shape)}."
        )
    if not len(keys) or key_labels.shape != keys.shape[:1] or labels.shape != features.shape[:1]:
        raise DataError(
            f"Expected a label for each of {len(keys)} keys (at least one) and {len(features)}"
            f" features, got shapes {list(key_labels.shape)} and {list(labels.shape)}."
        )
