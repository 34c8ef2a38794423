"""What a few-shot run learns of its head's confidence, and whether that held on its test set."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from clipfg.confidence import AnswerColumns, Confidence
from clipfg.confidence.guarantees import NAMES
from clipfg.confidence.ood_detector import auroc_on
from clipfg.confidence.unseen_classes import UnseenClassTrial, without_classes
from clipfg.errors import UsageError
from clipfg.evaluation.evaluator import Evaluator
from clipfg.evaluation.reliability import measures
from clipfg.evaluation.reliability.reliability import OODResult, Reliability
from clipfg.evaluation.statistics.intervals import proportion
from clipfg.functional.novelty import FALSE_ALARMS
from clipfg.heads import Head
from clipfg.heads.support import Support
from clipfg.settings import Settings
from clipfg.types import ClassList
from clipfg.workflows.answers import answers_for, asked_of
from clipfg.workflows.pool import FeaturePool
from clipfg.workflows.protocol.splits import TRAIN, SupportAndTest
from clipfg.workflows.session import Dataset, open_dataset

logger = logging.getLogger("clipfg")

BY_FOLDS, BY_SPLIT = "folds", "split"
PARTS = 4
"""Of the support, of which one is held out by `--calibration split`."""


@dataclass(frozen=True)
class CalibratedHead:
    """A head, and what has been learnt of it; `answers` is None where that is nothing.

    `trials` are heads that have not learnt a group of classes; `support` is what the head itself
    has learnt from, `said` the same in words.
    """

    head: Head
    support: Support
    said: str
    answers: AnswerColumns | None = None
    trials: list[UnseenClassTrial] = field(default_factory=list)

    def with_remarks(self, remarks: tuple[str, ...]) -> "CalibratedHead":
        """The same, and what a test has shown of it."""
        if not remarks or self.answers is None or self.answers.confidence is None:
            return self
        confidence = replace(self.answers.confidence, remarks=remarks)
        return replace(self, answers=replace(self.answers, confidence=confidence))

    @property
    def confidence(self) -> Confidence | None:
        """What goes into a file beside the head."""
        return self.answers.confidence if self.answers else None


def check_asked(settings: Settings, roles: SupportAndTest) -> None:
    """Raises `UsageError` for what cannot be asked of these data, before any work is done."""
    asked_of(settings).check(roles.classes)
    where = settings.calibration
    if where in (BY_FOLDS, BY_SPLIT):
        return
    if settings.dataset is None:
        raise UsageError(
            f"Expected --calibration {BY_FOLDS} or {BY_SPLIT} without --dataset, got {where!r}."
        )
    if where in (TRAIN, "all") or f"split {where}" == roles.tested:
        raise UsageError(
            f"Expected --calibration by images that nothing is learnt from or tested on, got the"
            f" split {where!r}; try {BY_FOLDS}, {BY_SPLIT} or another split."
        )
    open_dataset(_calibrating(settings))


def _calibrating(settings: Settings) -> Settings:
    return settings.model_copy(update={"split": settings.calibration, "limit": None})


def learn(
    settings: Settings,
    head: Head,
    support: Support,
    classes: ClassList,
    said: str,
    fit: Callable[[Support], Head],
    embed: Callable[[Dataset], FeaturePool],
) -> CalibratedHead:
    """Learn confidence where it is asked for or kept; `fit` fits the head on a part of `support`.

    With one image of each class nothing can be held out: a sentence says so.
    """
    asked, where = asked_of(settings), settings.calibration
    known = CalibratedHead(head, support, said)
    if not asked and settings.save is None:
        return known
    held, source = None, ""
    if where == BY_SPLIT:
        out = support.folds(settings.seed, PARTS) == 0
        held, source = support.rows(out), "a quarter of the support, held out"
        support = support.rows(~out)
        if len(held):
            known = CalibratedHead(fit(support), support, f"three quarters of {said}")
    elif where != BY_FOLDS:
        held, source = _of_split(settings, classes, embed), f"split {where}"
    if (held is not None and not len(held)) or (held is None and int(support.counts.max()) < 2):
        note = "Nothing is known of the head's confidence: that takes two images of a class."
        logger.warning(note)
        if asked.guarantees:
            return known
        return replace(known, answers=answers_for(settings, classes, None))
    trials = without_classes(known.head, support, settings.seed) if asked.unknown else []
    confidence = Confidence.fit(
        known.head,
        support,
        held,
        seed=settings.seed,
        source=source,
        unknown=asked.unknown,
        trials=trials,
    )
    return replace(known, answers=answers_for(settings, classes, confidence), trials=trials)


def _of_split(
    settings: Settings, classes: ClassList, embed: Callable[[Dataset], FeaturePool]
) -> Support:
    """The labelled images of a split, of the classes that are learnt."""
    data = open_dataset(_calibrating(settings))
    places = np.array([classes.names.index(n) if n in classes else -1 for n in data.classes.names])
    pool = embed(data.rows(np.flatnonzero(places[data.manifest.labels] >= 0)))
    labels = torch.from_numpy(places[pool.labels])
    return Support(pool.features, labels, len(classes))


def measure(
    known: CalibratedHead, test: FeaturePool, classes: ClassList, name: str, seed: int
) -> Reliability:
    """Everything that was asked, on test images; there has to be a confidence."""
    answers, confidence = known.answers, known.confidence
    assert answers is not None
    assert confidence is not None
    asked, labels = answers.asked, torch.from_numpy(test.labels)
    logits = known.head.logits(test.features)
    calibrated = answers.calibrated(logits)
    shares = calibrated.float().softmax(dim=1)
    certainty, hits = measures.certainty_and_hits(calibrated, labels)
    area, risk = measures.risk_points(certainty, hits)
    evaluator = Evaluator(classes, seed=seed)
    evaluator.update(calibrated, test.labels)
    report = evaluator.report()
    answering = sets = None
    if asked.target_error is not None:
        answering = measures.selective(asked.target_error, answers.answered(shares), hits)
    inside = answers.sets(shares)
    if asked.prediction_set is not None and inside is not None:
        sets = measures.prediction_sets(
            inside, labels, classes.names, asked.prediction_set, asked.each_class
        )
    return Reliability(
        head=name,
        learnt_from=known.said,
        calibrated_on=confidence.source,
        n=len(labels),
        accuracy=float(hits.double().mean()),
        raw=measures.calibration(logits, labels),
        calibrated=measures.calibration(calibrated, labels),
        aurc=area,
        risk=risk,
        answering=answering,
        sets=sets,
        ood=_ood(known, test),
        by_level=report.by_level,
        severity=report.severity,
        guarantees=answers.notes,
    )


def _ood(known: CalibratedHead, test: FeaturePool) -> OODResult | None:
    confidence, answers = known.confidence, known.answers
    assert confidence is not None
    assert answers is not None
    detector = confidence.ood
    calibrated = answers.calibrated(known.head.logits(test.features))
    familiar = answers.familiarity(test.features, calibrated)
    if detector is None or familiar is None:
        return None
    return OODResult(
        score=NAMES[detector.score],
        auroc_support=detector.aurocs[detector.score],
        auroc=auroc_on(
            detector.score,
            known.trials,
            test.features,
            torch.from_numpy(test.labels),
            confidence.factor,
        ),
        called_unknown=proportion(int((familiar <= FALSE_ALARMS).sum()), len(familiar)),
    )
