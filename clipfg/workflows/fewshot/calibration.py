"""From held-out images to how far the answers of a few-shot head can be trusted."""

import logging
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from clipfg.confidence import AnswerColumns, Confidence
from clipfg.confidence.group_answers import GroupAnswers
from clipfg.confidence.unseen_classes import UnseenClassTrial, without_classes
from clipfg.errors import DataError, UsageError
from clipfg.heads import Head
from clipfg.heads.support import Support
from clipfg.options import FewshotOptions
from clipfg.workflows.answers import answer_columns, answer_options
from clipfg.workflows.dataset import Dataset
from clipfg.workflows.fewshot.heads import HeadSet
from clipfg.workflows.fewshot.images import FewshotImages
from clipfg.workflows.protocol.leakage import without_leaks
from clipfg.workflows.protocol.splits import TRAIN, SupportAndTest
from clipfg.workflows.session import Session

logger = logging.getLogger("clipfg")

BY_FOLDS, BY_SPLIT = "folds", "split"
PARTS = 4
"""Of the support set, one of which `--calibration split` holds out."""


def can_be_calibrated(kind: type[Head[Any]]) -> bool:
    """Whether a head's confidence can be learnt on folds of what it takes.

    Of a head that learns with the encoder, each fold would train another.
    """
    return kind.consumes in ("pooled", "patches") and not kind.needs_encoder


@dataclass(frozen=True)
class CalibratedHead:
    """A trained head, what it was trained on (also in words), and what is known of its confidence.

    `rows` are the positions of its support in all images to learn from. `answers` say more of each
    image than its likeliest class; None where that is nothing. `trials` are heads trained without a
    group of classes, where out-of-distribution images are flagged. `groups` say how the pictures of
    a group become one answer; None without `--group-by`.
    """

    head: Head
    support: Support
    rows: NDArray[np.intp]
    learnt_from: str
    answers: AnswerColumns | None = None
    trials: list[UnseenClassTrial] = field(default_factory=list)
    groups: GroupAnswers | None = None

    def with_remarks(self, remarks: tuple[str, ...]) -> "CalibratedHead":
        """The same, with what a test has shown of its guarantees."""
        if not remarks or self.answers is None or self.answers.confidence is None:
            return self
        confidence = replace(self.answers.confidence, remarks=remarks)
        return replace(self, answers=replace(self.answers, confidence=confidence))

    @property
    def confidence(self) -> Confidence | None:
        """What is saved beside the head."""
        return self.answers.confidence if self.answers else None


def calibration_split(options: FewshotOptions, roles: SupportAndTest) -> Dataset | None:
    """The labelled images of the split that `--calibration` names; None where it names none.

    Raises `UsageError` for a split that does not exist or that is learnt from or tested on.
    """
    where = options.calibration
    if where in (BY_FOLDS, BY_SPLIT):
        return None
    if roles.whole is None:
        raise UsageError(
            f"--calibration {where} names a split of --dataset, which is not given; use {BY_FOLDS}"
            f" or {BY_SPLIT}."
        )
    if where in (TRAIN, "all") or f"split {where}" == roles.tested:
        raise UsageError(
            f"--calibration {where} would use training or test images; use {BY_FOLDS},"
            f" {BY_SPLIT} or another split."
        )
    held = roles.whole.select(where).labelled()
    rows = held.apart_from(roles.support, roles.test)
    if not len(rows):
        raise DataError(
            f"Expected images of --calibration {where} in groups of their own, but all"
            f" {len(held):,} are of groups that are learnt from or tested on; use {BY_FOLDS}."
        )
    return held.rows(rows)


@dataclass(frozen=True)
class Calibrator:
    """Learns how far the first head of a run can be trusted.

    `split` are the images of the split that `--calibration` names, or None; they must differ from
    the `images` of the run.
    """

    session: Session[FewshotOptions]
    heads: HeadSet
    images: FewshotImages
    split: Dataset | None

    def calibrate(self, known: CalibratedHead) -> CalibratedHead:
        """Learn confidence where it is asked for or saved, and how groups are answered.

        One image per class, or one group, is too few.
        """
        known = self._calibrated(known)
        if self.session.options.group_by is None:
            return known
        factor = known.confidence.factor if known.confidence else None
        seed = self.session.options.seed
        return replace(known, groups=GroupAnswers.fit(known.head, known.support, seed, factor))

    def _calibrated(self, known: CalibratedHead) -> CalibratedHead:
        """None is learnt of heads that cannot be calibrated."""
        options, classes = self.session.options, self.images.classes
        asked = answer_options(options)
        support = known.support
        if not can_be_calibrated(type(known.head)) or (not asked and options.save is None):
            return known
        held, source = None, ""
        if options.calibration == BY_SPLIT:
            known, held = self._without_a_quarter(known)
            source = "a quarter of the support, held out"
        elif self.split is not None:
            held, source = self._of_split(self.split), f"split {options.calibration}"
        if not len(support.held_out([options.seed]) if held is None else held):
            logger.warning("The head is not calibrated: that takes two images of a class.")
            answers = None if asked.guarantees else answer_columns(options, classes, None)
            return replace(known, answers=answers)
        trials = without_classes(known.head, known.support, options.seed) if asked.unknown else []
        confidence = Confidence.fit(
            known.head,
            known.support,
            held,
            seed=options.seed,
            source=source,
            unknown=asked.unknown,
            trials=trials,
        )
        return replace(known, answers=answer_columns(options, classes, confidence), trials=trials)

    def _without_a_quarter(self, known: CalibratedHead) -> tuple[CalibratedHead, Support]:
        """The head trained again without a quarter of its support, and that quarter."""
        support, seed = known.support, self.session.options.seed
        out = support.folds(seed, PARTS) == 0
        if not out.any():
            return known, support.rows(out)
        rest = support.rows(~out)
        head = self.heads.fit_first(rest, seed)
        words = f"three quarters of {known.learnt_from}"
        kept = known.rows[(~out).cpu().numpy()]
        return CalibratedHead(head, rest, kept, words), support.rows(out)

    def _of_split(self, data: Dataset) -> Support:
        """The split's images of the classes that are learnt, without any of the support set."""
        classes = self.images.classes
        places = np.array([classes.index(n) if n in classes else -1 for n in data.classes.names])
        pool = self.session.pool(data.rows(np.flatnonzero(places[data.manifest.labels] >= 0)))
        same_ids = self.session.options.own_labels is None
        rows, remarks = without_leaks(self.images.support, pool, same_ids)
        for remark in remarks:
            logger.warning(remark)
        pool = pool.rows(rows)
        labels = torch.from_numpy(places[pool.labels])
        own = vars(pool.items)
        return Support(labels=labels, classes=len(classes), groups=pool.groups, **own)
