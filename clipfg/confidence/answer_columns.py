"""Answers for each image beyond its most likely class, and what they guarantee."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from clipfg.confidence import guarantees
from clipfg.confidence.answer_options import AnswerOptions
from clipfg.confidence.confidence import Confidence
from clipfg.errors import UsageError
from clipfg.functional.conformal import lac_scores, prediction_sets
from clipfg.functional.hierarchy import Tree
from clipfg.functional.novelty import FALSE_ALARMS
from clipfg.functional.selective import SelectionThreshold
from clipfg.heads import FeatureSets
from clipfg.types import ClassList


@dataclass(frozen=True)
class AnswerColumns:
    """The requested columns, computed from the logits and features of any images.

    `classes` are those that the logits' columns stand for, `confidence` the head's calibration:
    None for class names alone, which guarantee nothing.

    Raises `UsageError` if groups are requested of classes that have none, or guarantees without
    labelled images.
    """

    options: AnswerOptions
    classes: ClassList
    confidence: Confidence | None = None

    def __post_init__(self) -> None:
        self.options.check(self.classes)
        if self.options.guarantees and self.confidence is None:
            raise UsageError(guarantees.NO_LABELS)

    @cached_property
    def tree(self) -> Tree:
        """The classes' taxonomy."""
        lineages = [self.classes.lineage(name) for name in self.classes.names]
        return Tree.of(self.classes.names, lineages)

    @cached_property
    def cut(self) -> SelectionThreshold | None:
        """The threshold for the requested error; None if none can be shown to achieve it."""
        if self.confidence is None or self.options.target_error is None:
            return None
        return self.confidence.threshold(self.options.target_error)

    @cached_property
    def quantile(self) -> Float[Tensor, " c"] | float | None:
        """The largest `1 - p` of a class in a set; None if no sets can be made."""
        confidence, level = self.confidence, self.options.prediction_set
        if confidence is None or level is None or (shared := confidence.quantile(level)) > 1:
            return None
        return confidence.quantiles(level) if self.options.each_class else shared

    @cached_property
    def columns(self) -> pa.Schema:
        """`answer` can be relied on and may be null; the other columns are those requested."""
        fields = []
        if self.options.target_error is not None or self.options.roll_up is not None:
            fields.append(pa.field("answer", pa.string()))
        if self.options.roll_up is not None:
            fields.append(pa.field("answer_probability", pa.float32()))
        if self.options.prediction_set is not None:
            fields.append(pa.field("set", pa.list_(pa.string())))
        if self.options.unknown:
            fields += [pa.field("unknown", pa.bool_()), pa.field("familiarity", pa.float32())]
        return pa.schema(fields)

    def calibrated(self, logits: Float[Tensor, "n c"]) -> Float[Tensor, "n c"]:
        """Calibrated logits; the logits themselves without labelled images."""
        return self.confidence.calibrated(logits) if self.confidence else logits

    def sets(self, shares: Float[Tensor, "n c"]) -> Bool[Tensor, "n c"] | None:
        """The classes in each image's set, from calibrated probabilities; None without sets."""
        if self.quantile is None:
            return None
        return prediction_sets(lac_scores(shares), self.quantile)

    def answered(self, shares: Float[Tensor, "n c"]) -> Bool[Tensor, " n"]:
        """Where the most likely class may be named at the requested error."""
        certainty = shares.amax(dim=1)
        if self.cut is None:
            return torch.zeros_like(certainty, dtype=torch.bool)
        return certainty > self.cut.threshold

    def rows(
        self, features: Float[Tensor, "n d"] | FeatureSets, logits: Float[Tensor, "n c"]
    ) -> list[dict[str, Any]]:
        """The columns of each image; `logits` as the head gives them."""
        calibrated = self.calibrated(logits)
        shares = calibrated.float().softmax(dim=1)
        found = self._answer(shares)
        if (familiar := self.familiarity(features, calibrated)) is not None:
            flagged = (familiar <= FALSE_ALARMS).tolist()
            for name in ("answer", "answer_probability"):
                pairs = zip(found[name], flagged, strict=True)
                found[name] = [None if unknown else value for value, unknown in pairs]
            found |= {"unknown": flagged, "familiarity": familiar.tolist()}
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
        self, features: Float[Tensor, "n d"] | FeatureSets, calibrated: Float[Tensor, "n c"]
    ) -> Float[Tensor, " n"] | None:
        """The share of known images that are no more familiar; None without an OOD detector."""
        detector = self.confidence.ood if self.confidence else None
        if not self.options.unknown or detector is None:
            return None
        return detector.familiarity(calibrated, features)

    def _answer(self, shares: Float[Tensor, "n c"]) -> dict[str, list[Any]]:
        """A class if it is certain enough, else a group if one is likely enough, else nothing."""
        by_error, level = self.options.target_error is not None, self.options.roll_up
        certain = self.answered(shares).tolist() if by_error else [level is None] * len(shares)
        groups: list[tuple[str | None, float | None]] = [(None, None)] * len(shares)
        if level is not None:
            tree = self.tree.groups if by_error else self.tree
            found = zip(
                *(values.tolist() for values in tree.roll_up(shares.numpy(), level)), strict=True
            )
            groups = [(tree.nodes[i], share) if i >= 0 else (None, None) for i, share in found]
        names = [self.classes.names[k] for k in shares.argmax(dim=1).tolist()]
        likely = zip(names, shares.amax(dim=1).tolist(), strict=True)
        answers = [
            answer if yes else group
            for yes, answer, group in zip(certain, likely, groups, strict=True)
        ]
        return {"answer": [a for a, _ in answers], "answer_probability": [p for _, p in answers]}

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What is guaranteed, what is not, and why; a sentence each."""
        options, confidence = self.options, self.confidence
        if confidence is None:
            return (guarantees.UNCALIBRATED,) if options.roll_up is not None else ()
        notes = []
        if options.target_error is not None:
            notes.append(guarantees.error_note(confidence, options.target_error, self.cut))
        if options.prediction_set is not None:
            level, each_class = options.prediction_set, options.each_class
            notes.append(guarantees.sets_note(confidence, level, each_class))
        if options.unknown:
            notes.append(guarantees.unknown_note(confidence))
        if not notes:
            return ()
        return (*notes, guarantees.basis_note(confidence), *confidence.remarks)
