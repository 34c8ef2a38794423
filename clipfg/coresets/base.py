"""The interface of a coreset strategy: many labelled features in, a few keys of each class out."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from inspect import signature
from typing import Any, ClassVar, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipfg.errors import DataError, UsageError
from clipfg.functional.similarity import unit_norm
from clipfg.registry import Registry


@dataclass(frozen=True)
class CoresetKeys:
    """A coreset, in order of classes.

    `keys` are what is searched: unit-norm float32 rows, of the features that it was made from if it
    is a selection, else computed. `labels` are their classes. `exemplars` are what is shown: for
    each key the row of a real item of its class, no row twice.
    """

    keys: Float[Tensor, "m d"]
    labels: Int[Tensor, " m"]
    exemplars: Int[Tensor, " m"]

    def __len__(self) -> int:
        return len(self.keys)


class Coreset(ABC):
    """A way to condense each class to at most `per_class` keys.

    Subclasses are dataclasses (`@dataclass(eq=False)`) whose fields are the parameters, each with a
    default. Equal parameters and equal input give equal coresets.
    """

    name: ClassVar[str]
    """Its name in `CORESETS`."""
    targets: ClassVar[tuple[str, ...]] = ()
    """The values of its parameter `target`, if it has one."""

    def condense(
        self,
        features: Float[Tensor, "n d"],
        labels: Int[Tensor, " n"],
        per_class: int,
        groups: Int[Tensor, " n"] | None = None,
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
        groups
            Numbers of what must stay together where a strategy chooses its settings on folds.

        Raises `DataError` for no rows, unequal lengths, labels below 0 and rows that are zero or
        not finite; `UsageError` for a budget below 1 and for parameters that make no sense.
        """
        if per_class < 1:
            raise UsageError(f"Expected a budget of 1 or more keys per class, got {per_class}.")
        if not len(features) or len(features) != len(labels):
            raise DataError(
                "Expected as many labels as features and at least one, got"
                f" {len(features)} features and {len(labels)} labels."
            )
        if int(labels.min()) < 0:
            raise DataError(
                f"Expected a class for every item, got {int((labels < 0).sum())} without; exclude"
                " them, or label all items 0 to condense the set as one class."
            )
        labels = labels.long().to(features.device)
        return self._condense_whole(unit_norm(features), labels, per_class, groups)

    def _condense_whole(
        self, features: Tensor, labels: Tensor, per_class: int, groups: Tensor | None
    ) -> CoresetKeys:
        """`_condense` with groups, of which strategies without folds know nothing."""
        del groups
        return self._condense(features, labels, per_class)

    @abstractmethod
    def _condense(
        self, features: Float[Tensor, "n d"], labels: Int[Tensor, " n"], per_class: int
    ) -> CoresetKeys:
        """`condense` on input that has been checked: unit-norm float32 rows, labels from 0."""

    @property
    def config(self) -> dict[str, Any]:
        """The parameters, by name."""
        return dict(vars(self))


class ClassKeys(NamedTuple):
    """Keys of one class, and for each the position of a different exemplar among its rows."""

    keys: Float[Tensor, "m d"]
    exemplars: Int[Tensor, " m"]


class PerClassCoreset(Coreset):
    """A strategy that looks at each class on its own."""

    def _condense(
        self, features: Float[Tensor, "n d"], labels: Int[Tensor, " n"], per_class: int
    ) -> CoresetKeys:
        generator = torch.Generator().manual_seed(getattr(self, "seed", 0))
        keys, exemplars = [], []
        for rows in rows_by_class(labels):
            own = self.condense_class(features[rows], min(per_class, len(rows)), generator)
            keys.append(own.keys)
            exemplars.append(rows[own.exemplars])
        chosen = torch.cat(exemplars)
        return CoresetKeys(torch.cat(keys), labels[chosen], chosen)

    @abstractmethod
    def condense_class(
        self, rows: Float[Tensor, "n d"], m: int, generator: torch.Generator
    ) -> ClassKeys:
        """`m` unit-norm keys, `1 <= m <= n`, of one class's unit-norm rows."""


class SelectionCoreset(PerClassCoreset):
    """A coreset of real items only: keys are rows of their class."""

    def condense_class(
        self, rows: Float[Tensor, "n d"], m: int, generator: torch.Generator
    ) -> ClassKeys:
        """The selected rows."""
        chosen = self.select(rows, m, generator)
        return ClassKeys(rows[chosen], chosen)

    @abstractmethod
    def select(
        self, rows: Float[Tensor, "n d"], m: int, generator: torch.Generator
    ) -> Int[Tensor, " m"]:
        """Positions of `m` of one class's unit-norm rows, `1 <= m <= n`, none twice."""


def rows_by_class(labels: Int[Tensor, " n"]) -> Iterator[Int[Tensor, " k"]]:
    """The positions of each class that occurs, in label order, each class's in their own order."""
    order = torch.sort(labels, stable=True).indices
    counts = torch.bincount(labels)
    yield from order.split(counts[counts > 0].tolist())


def nearest_distinct(rows: Float[Tensor, "n d"], keys: Float[Tensor, "m d"]) -> Int[Tensor, " m"]:
    """For each key in turn, the most similar row that no earlier key has taken."""
    similar = keys @ rows.T
    chosen = torch.empty(len(keys), dtype=torch.long, device=rows.device)
    for i, row in enumerate(similar):
        chosen[i] = row.argmax()  # of equal ones the first
        similar[:, chosen[i]] = -torch.inf
    return chosen


CORESETS: Registry[type[Coreset]] = Registry("coreset strategy", "clipfg.coresets")
CORESETS.register_all(
    "clipfg.coresets",
    ("discriminant", "discriminant:Discriminant", "Best default: keys that tell classes apart"),
    ("k-means", "k_means:KMeans", "For classes that consist of several clusters; fast"),
    ("class-mean", "class_mean:ClassMeanCoreset", "One key for each class; hard to beat, instant"),
    (
        "discriminant-online",
        "discriminant_online:DiscriminantOnline",
        "The same in one pass; works on a stream",
    ),
    ("keco-offline", "keco_offline:KeCOOffline", "KeCO in several passes; its target matters"),
    ("keco-online", "keco_online:KeCOOnline", "KeCO in one pass; works on a stream"),
    ("herding", "herding:Herding", "Typical real images, the most typical first"),
    ("k-center", "k_center:KCenter", "Real images that cover a class, outliers included"),
    ("infoscore", "infoscore:InfoScore", "Real images that most help to classify others"),
    ("random", "random:Random", "The control that every other strategy has to beat"),
)


def make_coreset(spec: str, seed: int = 0) -> Coreset:
    """The strategy called `NAME`, or `NAME:TARGET` if it has a choice of targets.

    Raises `UsageError` for an unknown name or target.
    """
    name, _, target = spec.partition(":")
    strategy = CORESETS.get(name)
    parameters = signature(strategy).parameters
    given: dict[str, Any] = {"seed": seed} if "seed" in parameters else {}
    if target and target not in strategy.targets:
        if not strategy.targets:
            raise UsageError(f"Coreset strategy {name!r} has no targets, got {spec!r}.")
        targets = ", ".join(strategy.targets)
        raise UsageError(f"Expected a target of {name!r} ({targets}), got {spec!r}.")
    if target:
        given["target"] = target
    return strategy(**given)
