"""The contract of a coreset strategy: many labelled features in, a few keys of each class out."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from inspect import signature
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipfg.errors import DataError, UsageError
from clipfg.functional.similarity import unit_norm
from clipfg.registry import Registry


@dataclass(frozen=True)
class CoresetKeys:
    """A coreset, in order of classes: what is searched, what it stands for, what is shown.

    Parameters
    ----------
    keys
        Unit-norm float32 rows. A selection's are rows of the features it was made from; other
        strategies compute theirs.
    labels
        The class of each key.
    exemplars
        For each key the row of a real item of its class, no row twice.
    """

    keys: Float[Tensor, "m d"]
    labels: Int[Tensor, " m"]
    exemplars: Int[Tensor, " m"]

    def __len__(self) -> int:
        return len(self.keys)


class Coreset(ABC):
    """A way to condense each class to at most `per_class` keys.

    `__init__` only keeps its arguments, each under its own name, and all have defaults. Equal
    arguments and equal input give equal coresets.
    """

    name: ClassVar[str]
    """As it is registered in `CORESETS`."""
    targets: ClassVar[tuple[str, ...]] = ()
    """What its argument `target` may be, where it has one."""

    def condense(
        self, features: Float[Tensor, "n d"], labels: Int[Tensor, " n"], per_class: int
    ) -> CoresetKeys:
        """Keys of every class that occurs, `min(per_class, its items)` of each, in label order.

        Parameters
        ----------
        features
            Finite, non-zero rows of any floating type; they are scaled to unit norm.
        labels
            Class indices from 0; a class may have any number of items or none.
        per_class
            The budget, from 1. With all labels 0 it is the budget of the whole set.

        Raises `DataError` for no rows, unequal lengths, labels below 0 and rows that are zero or
        not finite; `UsageError` for a budget below 1 and for arguments that make no sense.
        """
        if per_class < 1:
            raise UsageError(f"Expected a budget of 1 key a class or more, got {per_class}.")
        if not len(features) or len(features) != len(labels):
            raise DataError(
                "Expected as many labels as features and at least one, got"
                f" {len(features)} features and {len(labels)} labels."
            )
        if int(labels.min()) < 0:
            raise DataError(
                f"Expected a class for every item, got {int((labels < 0).sum())} without; leave"
                " them out, or label all 0 to condense the set as one class."
            )
        return self._condense(unit_norm(features), labels.long().to(features.device), per_class)

    @abstractmethod
    def _condense(
        self, features: Float[Tensor, "n d"], labels: Int[Tensor, " n"], per_class: int
    ) -> CoresetKeys:
        """`condense` on input that has been checked: unit-norm float32 rows, labels from 0."""

    @property
    def config(self) -> dict[str, Any]:
        """The arguments that `__init__` was given, by name."""
        return {name: getattr(self, name) for name in signature(type(self)).parameters}


class SelectionCoreset(Coreset):
    """A coreset of real items alone: each class is looked at on its own, keys are its rows."""

    def _condense(
        self, features: Float[Tensor, "n d"], labels: Int[Tensor, " n"], per_class: int
    ) -> CoresetKeys:
        generator = torch.Generator().manual_seed(getattr(self, "seed", 0))
        chosen = torch.cat(
            [
                rows[self.select(features[rows], min(per_class, len(rows)), generator)]
                for rows in rows_by_class(labels)
            ]
        )
        return CoresetKeys(features[chosen], labels[chosen], chosen)

    @abstractmethod
    def select(
        self, rows: Float[Tensor, "n d"], m: int, generator: torch.Generator
    ) -> Int[Tensor, " m"]:
        """Which `m` of one class's unit-norm rows, `1 <= m <= n`, no row twice."""


def rows_by_class(labels: Int[Tensor, " n"]) -> Iterator[Int[Tensor, " k"]]:
    """The positions of each class that occurs, in label order, each class's in their own order."""
    order = torch.sort(labels, stable=True).indices
    counts = torch.bincount(labels)
    yield from order.split(counts[counts > 0].tolist())


def nearest_distinct(rows: Float[Tensor, "n d"], keys: Float[Tensor, "m d"]) -> Int[Tensor, " m"]:
    """For each key in turn the row of the largest cosine that no earlier key has taken."""
    similar = keys @ rows.T
    chosen = torch.empty(len(keys), dtype=torch.long, device=rows.device)
    for i, row in enumerate(similar):
        chosen[i] = row.argmax()  # of equal ones the first
        similar[:, chosen[i]] = -torch.inf
    return chosen


CORESETS: Registry[type[Coreset]] = Registry("coreset strategy", "clipfg.coresets")
for name, target, summary in (
    ("discriminant", "discriminant:Discriminant", "Best default: keys that tell classes apart"),
    ("k-means", "k_means:KMeans", "For classes that consist of several clusters; fast"),
    ("class-mean", "class_mean:ClassMeanCoreset", "One key for each class; hard to beat, instant"),
    ("keco-offline", "keco_offline:KeCOOffline", "KeCO in several passes; its target matters"),
    ("keco-online", "keco_online:KeCOOnline", "KeCO in one pass; works on a stream"),
    ("herding", "herding:Herding", "Typical real images, the most typical first"),
    ("k-center", "k_center:KCenter", "Real images that cover a class, outliers included"),
    ("infoscore", "infoscore:InfoScore", "Real images that most help others to be recognised"),
    ("random", "random:Random", "The control that every other strategy has to beat"),
):
    CORESETS.register(name, f"clipfg.coresets.{target}", summary)


def make_coreset(spec: str, seed: int = 0) -> Coreset:
    """The strategy called `NAME`, or `NAME:TARGET` for one that has a choice of targets.

    Raises `UsageError` for an unknown name, or a target where there is no choice.
    """
    name, _, target = spec.partition(":")
    strategy = CORESETS.get(name)
    parameters = signature(strategy).parameters
    given: dict[str, Any] = {"seed": seed} if "seed" in parameters else {}
    if target and target not in strategy.targets:
        choice = f"one of the targets {', '.join(strategy.targets)}" if strategy.targets else "none"
        raise UsageError(f"Expected {choice} after {name!r}, got {spec!r}.")
    if target:
        given["target"] = target
    return strategy(**given)
