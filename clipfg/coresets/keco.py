"""KeCO: keys of a random, class-balanced start, moved by the samples that were not chosen.

What the online and the offline form share: which key of its own class a sample moves.
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, get_args

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from clipfg.coresets.base import Coreset, CoresetKeys
from clipfg.coresets.random import Random
from clipfg.errors import DataError, UsageError
from clipfg.functional.similarity import unit_norm

Samples = tuple[Tensor, Tensor, Tensor, Tensor]
"""Keys `[m, d]` and their labels, features `[n, d]` of samples and their labels."""
Target = Literal["least", "most", "random", "prototype"]
"""Among the keys of a sample's class: the least or the most similar to it by cosine, a random
one, or the one most similar to the mean of them all."""


@dataclass(eq=False)
class KeCO(Coreset):
    """A random, class-balanced start whose keys are moved by all other items of their class.

    The keys move, the exemplars stay: a demonstration shows the image that a key started from.

    `target` says which key of its own class an item moves, and `rate` how far, from 0 (nothing
    moves) to 1. `seed` is that of the start, of the order of the items, and of random targets.

    Source: Chen et al. 2025, arXiv:2504.14200.
    """

    targets: ClassVar[tuple[str, ...]] = get_args(Target)

    target: Target = "least"
    rate: float = 0.2
    seed: int = 0

    def _condense(
        self, features: Float[Tensor, "n d"], labels: Int[Tensor, " n"], per_class: int
    ) -> CoresetKeys:
        start = Random(self.seed).condense(features, labels, per_class)
        generator = torch.Generator().manual_seed(self.seed + 1)
        order = torch.randperm(len(features), generator=generator).to(features.device)
        others = order[~torch.isin(order, start.exemplars)]
        samples = start.keys, start.labels, features[others], labels[others]
        keys = self.update(samples, generator)
        return CoresetKeys(unit_norm(keys), start.labels, start.exemplars)

    @abstractmethod
    def update(self, samples: Samples, generator: torch.Generator) -> Float[Tensor, "m d"]:
        """The keys after the samples have moved them; nothing is scaled to unit norm."""


class LoopArrays(NamedTuple):
    """What both of `keco_loops` take: a copy of the keys, in float64 if they were, or in float32.

    The keys of the `c`-th class are at `members[first[c] : first[c + 1]]`; `owners` are the places
    of the samples' classes.
    """

    keys: NDArray[Any]
    members: NDArray[np.int64]
    first: NDArray[np.int64]
    features: NDArray[Any]
    owners: NDArray[np.int64]

    @classmethod
    def of(cls, samples: Samples) -> "LoopArrays":
        """Group keys that are in any order. Raises `DataError` for a class without a key."""
        keys, key_labels, features, labels = samples
        dtype = torch.float64 if keys.dtype == torch.float64 else torch.float32
        rows, moving = (x.detach().to("cpu", dtype).contiguous() for x in (keys, features))
        sorted_labels, members = key_labels.cpu().sort(stable=True)
        classes, first = np.unique(sorted_labels.numpy(), return_index=True)
        wanted = labels.cpu().numpy()
        owners = classes.searchsorted(wanted).clip(max=len(classes) - 1)
        lost = classes[owners] != wanted
        if lost.any():
            raise DataError(
                f"Expected a key of every sample's class, got none of class {wanted[lost][0]}"
                f" ({lost.sum()} samples); add one to the coreset first."
            )
        first = np.append(first, len(members))
        return cls(rows.numpy().copy(), members.numpy(), first, moving.numpy(), owners)


def draw_targets(n: int, target: Target, generator: torch.Generator | None) -> NDArray[np.float32]:
    """A number from 0 to below 1 for each sample, in their order; random targets depend on it."""
    if target != "random":
        return np.zeros(n, np.float32)
    return torch.rand(n, generator=generator).numpy()


def prepare(samples: Samples, rate: float, target: Target) -> tuple[LoopArrays, int, Any]:
    """The loops' arrays, the number of the target, and the rate in the type of the keys.

    Raises `UsageError` for parameters that make no sense, `DataError` for mismatched shapes and a
    class without a key. Features of shape `(1, d)` each would broadcast into scores of every key
    with every sample.
    """
    keys, key_labels, features, labels = samples
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
    arrays = LoopArrays.of(samples)
    return arrays, get_args(Target).index(target), arrays.keys.dtype.type(rate)
