"""KeCO: keys of a class-balanced start that are moved by the samples that were left untapped.

What the online and the offline form share: which key of its own class a sample moves.
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal, Self, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from clipfg.coresets.base import Condensed, Coreset
from clipfg.coresets.random import Random
from clipfg.errors import DataError, UsageError
from clipfg.functional.similarity import unit_norm

Target = Literal["least", "most", "random", "prototype"]
"""Of the keys of a sample's class the least or the most similar to the sample by cosine, any, or
the one most similar to the mean of them all."""

_ROUNDING = 1e-5  # of cosines in float32


class KeCO(Coreset):
    """A random class-balanced start whose keys are moved by all other items of their class.

    The keys move, the exemplars stay: a demonstration shows the start's own picture.

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
    ) -> Condensed:
        start = Random(self.seed).condense(features, labels, per_class)
        generator = torch.Generator().manual_seed(self.seed + 1)
        order = torch.randperm(len(features), generator=generator).to(features.device)
        untapped = order[~torch.isin(order, start.exemplars)]
        keys = self.update(
            start.keys, start.labels, features[untapped], labels[untapped], generator
        )
        return Condensed(unit_norm(keys), start.labels, start.exemplars)

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
class Slots:
    """The keys of each class side by side.

    `index` `[c, m]` are positions of keys and `filled` says which of them are any; `rows` `[l]` is
    the row of each label, -1 where it has no key.
    """

    index: Int[Tensor, "c m"]
    filled: Bool[Tensor, "c m"]
    rows: Int[Tensor, " l"]

    @classmethod
    def of(cls, key_labels: Int[Tensor, " m"]) -> Self:
        """Lay out keys that are in any order."""
        order = torch.sort(key_labels, stable=True).indices
        classes, owners, counts = key_labels[order].unique_consecutive(
            return_inverse=True, return_counts=True
        )
        places = torch.arange(len(order), device=order.device) - (counts.cumsum(0) - counts)[owners]
        index = order.new_zeros(len(classes), int(counts.max()))
        index[owners, places] = order
        filled = torch.arange(index.shape[1], device=order.device) < counts[:, None]
        rows = order.new_full((int(classes.max()) + 1,), -1)
        rows[classes] = torch.arange(len(classes), device=order.device)
        return cls(index, filled, rows)

    def reordered(self, order: Int[Tensor, " c"]) -> "Slots":
        """The same with its rows in another order."""
        rows = torch.where(self.rows >= 0, order.argsort()[self.rows], -1)
        return Slots(self.index[order], self.filled[order], rows)

    def laid_out(self, keys: Float[Tensor, "m d"]) -> Float[Tensor, "c m d"]:
        """The keys of each class side by side, a copy."""
        return keys.index_select(0, self.index.flatten()).view(*self.index.shape, -1)

    def put_back(self, moved: Float[Tensor, "c m d"]) -> Float[Tensor, "m d"]:
        """The keys in their own order, as they are in `moved`."""
        places = self.filled.flatten().nonzero().flatten()
        of_keys = torch.empty_like(places)
        of_keys[self.index.flatten()[places]] = places
        return moved.flatten(0, 1).index_select(0, of_keys)

    def rows_of(self, labels: Int[Tensor, " n"]) -> Int[Tensor, " n"]:
        """The row of each sample's class. Raises `DataError` where a class has no key."""
        rows = self.rows[labels.clamp(0, len(self.rows) - 1)]
        lost = (rows < 0) | (labels < 0) | (labels >= len(self.rows))
        if lost.any():
            raise DataError(
                f"Expected a key of every sample's class, got none of class {int(labels[lost][0])}"
                f" ({int(lost.sum())} samples); add one to the coreset first."
            )
        return rows


def draw_targets(n: int, target: Target, generator: torch.Generator | None) -> Float[Tensor, " n"]:
    """A number from 0 to below 1 for each sample, in their order, which random targets follow."""
    if target != "random":
        return torch.zeros(n)
    return torch.rand(n, generator=generator)


def places_within(owners: Int[Tensor, " n"]) -> Int[Tensor, " n"]:
    """How many samples of the same class come before each."""
    counts = torch.bincount(owners)
    order = torch.sort(owners, stable=True).indices
    places = torch.empty_like(owners)
    first = (counts.cumsum(0) - counts)[owners[order]]
    places[order] = torch.arange(len(owners), device=owners.device) - first
    return places


def choose_places(
    products: Float[Tensor, "a q m"],
    norms: Float[Tensor, "a m"],
    filled: Bool[Tensor, "a m"],
    draws: Float[Tensor, "a q"],
    target: Target,
    keys: Float[Tensor, "a m d"] | None,
) -> Int[Tensor, "a q"]:
    """For `q` samples of each of `a` classes the places of the keys that they move.

    `products` are of samples with keys of any norm; the keys themselves are looked at for
    prototypes alone. Of equally similar keys it is the first.
    """
    if target == "random":
        return (draws * filled.sum(dim=1, keepdim=True)).long()
    if target == "prototype":
        assert keys is not None
        return _prototypes(keys, filled)[:, None].expand(draws.shape)
    cosines = products / norms[:, None]
    if target == "least":
        return cosines.masked_fill(~filled[:, None], torch.inf).argmin(dim=2)
    return cosines.masked_fill(~filled[:, None], -torch.inf).argmax(dim=2)


def _prototypes(keys: Tensor, filled: Tensor) -> Tensor:
    units = torch.nn.functional.normalize(keys, dim=2) * filled[:, :, None]
    mean = torch.nn.functional.normalize(units.sum(dim=1), dim=1)
    cosines = (units * mean[:, None]).sum(dim=2).masked_fill(~filled, -torch.inf)
    # Two keys are equally near to their mean, but for rounding.
    return (cosines >= cosines.amax(dim=1, keepdim=True) - _ROUNDING).int().argmax(dim=1)


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
