"""Demonstrations from a store: which labelled images are shown with the image in question."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from clipfg.errors import DataError, UsageError
from clipfg.icl import DEMONSTRATIONS, DemonstrationStrategy, Neighbours, vote
from clipfg.icl.questions import check_choices
from clipfg.options.groups import DemonstrationOptions
from clipfg.store import KeyStore
from clipfg.types import ClassList
from clipfg.workflows.metric import Metric

logger = logging.getLogger("clipfg")


@dataclass(frozen=True)
class Demonstration:
    """An image of the store that is shown: `label` is an index into the run's classes."""

    id: str
    uri: str
    label: int
    similarity: float


def voted(shown: Sequence[Demonstration], classes: int) -> Float[Tensor, " c"]:
    """The `vote` of what is shown, the best first."""
    return vote([one.label for one in shown], [one.similarity for one in shown], classes)


@dataclass(frozen=True)
class Candidates:
    """The names that may be answered: all, or the `count` that come first by a criterion."""

    by: str
    count: int = 0

    @classmethod
    def parse(cls, text: str) -> "Candidates":
        """Read `all`, `zero-shot:M` or `retrieved:M`. Raises `UsageError` for anything else."""
        by, colon, count = text.partition(":")
        if by == "all" and not colon:
            return cls(by)
        if by in ("zero-shot", "retrieved") and count.isdecimal() and int(count) > 0:
            return cls(by, int(count))
        raise UsageError(
            "--candidates must be all, zero-shot:M or retrieved:M, such as zero-shot:10, got"
            f" {text!r}."
        )


@dataclass(frozen=True)
class DemonstrationPlan:
    """How demonstrations are chosen and what is asked, checked before anything is embedded."""

    strategy: DemonstrationStrategy
    shots: int
    candidates: Candidates
    choices: int | None

    @classmethod
    def of(cls, options: DemonstrationOptions) -> "DemonstrationPlan":
        """The plan of the options. Raises `UsageError`s for what cannot be done."""
        strategy = DEMONSTRATIONS.get(options.strategy)()
        candidates = Candidates.parse(options.candidates)
        if options.choices is not None and candidates.by != "all":
            raise UsageError("--choices and --candidates cannot be combined.")
        if not options.question.strip():
            raise UsageError("--question must not be blank.")
        return cls(strategy, options.shots, candidates, options.choices)

    def check(self, classes: ClassList) -> None:
        """Raises `UsageError` for more choices than there are classes."""
        if self.choices is not None:
            check_choices(self.choices, len(classes))


class DemonstrationFinder:
    """Chooses demonstrations from a store, whose classes are matched with the run's by name.

    `metric` is how images are compared. `fingerprint` is of the encoder that makes the queries;
    `texts` are unit-norm text weights of the classes, for strategies that look at them. Raises
    `DataError` when no key of the store is labelled with one of the classes.
    """

    def __init__(
        self,
        metric: Metric,
        plan: DemonstrationPlan,
        classes: ClassList,
        fingerprint: str,
        texts: Float[Tensor, "c d"] | None = None,
    ) -> None:
        self.metric = metric
        self.store = store = metric.store
        self.plan = plan
        self.classes = classes
        self.fingerprint = fingerprint
        self.texts = texts
        self.labels = _labels_among(store, classes)
        self.usable: NDArray[np.bool_] = self.labels >= 0
        if not self.usable.any():
            raise DataError(
                f"Expected labelled keys of the {len(classes):,} classes in the store, got none;"
                " build it from labelled images of the same classes."
            )
        if excluded := int((~self.usable).sum()):
            logger.warning(
                f"{excluded:,} of {len(store):,} keys in the store are not labelled with one of the"
                f" {len(classes):,} classes and are never shown."
            )

    def select(self, query: Float[Tensor, " d"], hidden: Sequence[int] = ()) -> list[Demonstration]:
        """The demonstrations of a query, the best first, without those at `hidden` positions."""
        if not self.plan.shots:
            return []
        allowed = self.usable.copy()
        allowed[list(hidden)] = False
        reach = self.plan.strategy.reach(self.plan.shots)
        positions, scores = self._nearest(query, reach, allowed)
        labels = torch.from_numpy(self.labels[positions])
        neighbours = Neighbours(
            similarities=torch.from_numpy(scores),
            keys=torch.from_numpy(np.asarray(self.store.keys[positions])),
            labels=labels,
            text_similarities=None if self.texts is None else (self.texts @ query)[labels],
        )
        chosen = self.plan.strategy.choose(neighbours, self.plan.shots).tolist()
        items = self.store.items.select(["id", "uri"]).take(positions[chosen]).to_pylist()
        return [
            Demonstration(**item, label=int(self.labels[positions[i]]), similarity=float(scores[i]))
            for item, i in zip(items, chosen, strict=True)
        ]

    def nearest_classes(self, query: Float[Tensor, " d"], count: int) -> list[int]:
        """The classes of the nearest keys, nearest first: `count`, or as many as there are."""
        most, reach = int(self.usable.sum()), 4 * count
        while True:
            positions, _ = self._nearest(query, reach, self.usable)
            found = list(dict.fromkeys(self.labels[positions].tolist()))
            if len(found) >= count or reach >= most:
                return found[:count]
            reach *= 4

    def _nearest(
        self, query: Float[Tensor, " d"], reach: int | None, allowed: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Positions and cosines of the `reach` nearest keys that are allowed; of all for None."""
        most = int(allowed.sum())
        reach = most if reach is None else min(reach, most)
        if not reach:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
        where = None if allowed.all() else allowed
        hits = self.store.search(
            self.metric.photos(query[None]).numpy(),
            reach,
            where=where,
            fingerprint=self.fingerprint,
        )
        found = hits.positions[0] >= 0
        return hits.positions[0][found], hits.scores[0][found]


def _labels_among(store: KeyStore, classes: ClassList) -> NDArray[np.int64]:
    """The class index of each key in `classes`; -1 where it has none."""
    if store.classes is None:
        return np.full(len(store), -1, dtype=np.int64)
    known = {name: index for index, name in enumerate(classes.names)}
    table = np.array([known.get(name, -1) for name in store.classes.names] + [-1], dtype=np.int64)
    return table[store.labels]  # an unknown label, -1, meets the last entry
