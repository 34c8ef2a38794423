"""What is said of each image beyond its likeliest class, and what that is worth."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from clipfg.confidence.confidence import CERTAINTY, Confidence
from clipfg.confidence.guarantees import (
    NO_LABELS,
    UNCALIBRATED,
    error_note,
    resting_note,
    sets_note,
    unknown_note,
)
from clipfg.errors import UsageError
from clipfg.functional.conformal import lac_scores, prediction_sets
from clipfg.functional.hierarchy import Tree
from clipfg.functional.novelty import FALSE_ALARMS
from clipfg.functional.selective import SelectionThreshold
from clipfg.types import ClassList


@dataclass(frozen=True)
class AnswerOptions:
    """What a person wants to know of every image; None and False where not.

    `target_error`: answer only where at most this share of answers is wrong. `prediction_set`: a
    set of classes that holds the true one with this probability; `each_class`: within every class.
    `unknown`: whether it belongs to none of the classes. `roll_up`: name the narrowest group that
    has this probability.
    """

    target_error: float | None = None
    prediction_set: float | None = None
    each_class: bool = False
    unknown: bool = False
    roll_up: float | None = None

    def __post_init__(self) -> None:
        for option in ("target_error", "prediction_set", "roll_up"):
            value = getattr(self, option)
            if value is not None and not 0 < value < 1:
                raise UsageError(
                    f"Expected --{option.replace('_', '-')} between 0 and 1, got {value:g}."
                )
        if self.each_class and self.prediction_set is None:
            raise UsageError(
                "Expected --prediction-set LEVEL beside --each-class; try --prediction-set 0.9."
            )

    @property
    def guarantees(self) -> bool:
        """Whether anything is asked that only labelled images can tell."""
        return self.target_error is not None or self.prediction_set is not None or self.unknown

    def check(self, classes: ClassList) -> None:
        """Raises `UsageError` where groups are asked of classes that have none."""
        if self.roll_up is not None and not classes.parents:
            raise UsageError(
                "Expected classes with parents to roll answers up to, got none; give --classes a"
                " CSV with the columns name,parent."
            )

    def __bool__(self) -> bool:
        return self.guarantees or self.roll_up is not None


@dataclass(frozen=True)
class AnswerColumns:
    """The columns that were asked for, of any image's logits and features.

    Parameters
    ----------
    asked
        Which.
    classes
        The classes that the logits' columns stand for.
    confidence
        What is known of the head; None for class names alone, of which nothing can be guaranteed.

    Raises `UsageError` where groups are asked of classes that have none, or guarantees of what has
    seen no label.
    """

    asked: AnswerOptions
    classes: ClassList
    confidence: Confidence | None = None

    def __post_init__(self) -> None:
        self.asked.check(self.classes)
        if self.asked.guarantees and self.confidence is None:
            raise UsageError(NO_LABELS)

    @cached_property
    def tree(self) -> Tree:
        """The classes' taxonomy."""
        lineages = [self.classes.lineage(name) for name in self.classes.names]
        return Tree.of(self.classes.names, lineages)

    @cached_property
    def cut(self) -> SelectionThreshold | None:
        """The threshold for the asked error; None where none can be shown to keep it."""
        if self.confidence is None or self.asked.target_error is None:
            return None
        return self.confidence.threshold(self.asked.target_error)

    @cached_property
    def quantile(self) -> Float[Tensor, " c"] | float | None:
        """The largest `1 - p` of a class in a set; None where no sets can be made."""
        confidence, level = self.confidence, self.asked.prediction_set
        if confidence is None or level is None or confidence.quantile(level) > 1:
            return None
        return confidence.quantiles(level) if self.asked.each_class else confidence.quantile(level)

    @cached_property
    def columns(self) -> pa.Schema:
        """`answer` is what may be relied on, null where nothing may; the others as asked."""
        fields = []
        if self.asked.target_error is not None or self.asked.roll_up is not None:
            fields.append(pa.field("answer", pa.string()))
        if self.asked.roll_up is not None:
            fields.append(pa.field("answer_probability", pa.float32()))
        if self.asked.prediction_set is not None:
            fields.append(pa.field("set", pa.list_(pa.string())))
        if self.asked.unknown:
            fields += [pa.field("unknown", pa.bool_()), pa.field("familiarity", pa.float32())]
        return pa.schema(fields)

    def calibrated(self, logits: Float[Tensor, "n c"]) -> Float[Tensor, "n c"]:
        """Logits whose softmax is as probable as it says, where that is known."""
        return self.confidence.calibrated(logits) if self.confidence else logits

    def sets(self, shares: Float[Tensor, "n c"]) -> Bool[Tensor, "n c"] | None:
        """Which classes are in each image's set, from calibrated probabilities."""
        if self.quantile is None:
            return None
        return prediction_sets(lac_scores(shares), self.quantile)

    def answered(self, shares: Float[Tensor, "n c"]) -> Bool[Tensor, " n"]:
        """Where the likeliest class may be named at the asked error."""
        certainty = shares.amax(dim=1)
        if self.cut is None:
            return torch.zeros_like(certainty, dtype=torch.bool)
        return certainty > self.cut.threshold

    def rows(
        self, features: Float[Tensor, "n d"], logits: Float[Tensor, "n c"]
    ) -> list[dict[str, Any]]:
        """The columns of each image; `logits` as the head gives them."""
        calibrated = self.calibrated(logits)
        shares = calibrated.float().softmax(dim=1)
        found = self._answer(shares)
        if (familiar := self.familiarity(features, calibrated)) is not None:
            strange = (familiar <= FALSE_ALARMS).tolist()
            for name in ("answer", "answer_probability"):
                pairs = zip(found[name], strange, strict=True)
                found[name] = [None if odd else value for value, odd in pairs]
            found |= {"unknown": strange, "familiarity": familiar.tolist()}
        if (sets := self.sets(shares)) is not None:
            order = shares.argsort(dim=1, descending=True, stable=True)
            found["set"] = [
                [self.classes.names[k] for k in row if inside[k]]
                for row, inside in zip(order.tolist(), sets.tolist(), strict=True)
            ]
        names = self.columns.names
        if not names:
            return [{} for _ in range(len(logits))]
        blank = [None] * len(logits)
        columns = [found.get(name, blank) for name in names]
        return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]

    def familiarity(
        self, features: Float[Tensor, "n d"], calibrated: Float[Tensor, "n c"]
    ) -> Float[Tensor, " n"] | None:
        """The share of known images that look no more familiar; None where none can tell."""
        detector = self.confidence.ood if self.confidence else None
        if not self.asked.unknown or detector is None:
            return None
        return detector.familiarity(calibrated, features)

    def _answer(self, shares: Float[Tensor, "n c"]) -> dict[str, list[Any]]:
        """A class where sure enough, else a group where one is likely enough, else nothing."""
        best = shares.argmax(dim=1)
        names: list[str | None] = [self.classes.names[k] for k in best.tolist()]
        likely: list[float | None] = shares.amax(dim=1).tolist()
        if self.asked.target_error is not None:
            sure = self.answered(shares).tolist()
            names = [name if yes else None for name, yes in zip(names, sure, strict=True)]
        if self.asked.roll_up is not None:
            groups_only = self.asked.target_error is not None
            for i, (node, share) in enumerate(self._rolled(shares, groups_only)):
                if not groups_only or names[i] is None:
                    names[i], likely[i] = node, share
        return {"answer": names, "answer_probability": likely}

    def _rolled(
        self, shares: Float[Tensor, "n c"], groups_only: bool
    ) -> Iterator[tuple[str | None, float | None]]:
        """Names and probabilities of the narrowest nodes that are likely enough.

        `groups_only` where a class may be named by its error alone.
        """
        assert self.asked.roll_up is not None
        tree = self.tree.groups if groups_only else self.tree
        nodes, values = tree.roll_up(shares, self.asked.roll_up)
        for node, share in zip(nodes.tolist(), values.tolist(), strict=True):
            yield (tree.nodes[node], share) if node >= 0 else (None, None)

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What is guaranteed, what is not, and what could not be; a sentence each."""
        asked, confidence = self.asked, self.confidence
        if confidence is None:
            return (UNCALIBRATED,) if asked.roll_up is not None else ()
        notes = []
        if asked.target_error is not None:
            notes.append(error_note(confidence, asked.target_error, self.cut, CERTAINTY))
        if asked.prediction_set is not None:
            notes.append(sets_note(confidence, asked.prediction_set, asked.each_class))
        if asked.unknown:
            notes.append(unknown_note(confidence))
        return (*notes, resting_note(confidence), *confidence.remarks) if notes else ()
