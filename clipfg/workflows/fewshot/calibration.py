"""What a few-shot run learns of its head's confidence, and whether that held on its test set."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from clipfg.confidence import Answers, Confidence
from clipfg.confidence.promises import NAMES
from clipfg.confidence.unknowns import auroc_on
from clipfg.confidence.unseen_classes import Unseen, without_classes
from clipfg.errors import UsageError
from clipfg.evaluation.evaluator import Evaluator
from clipfg.evaluation.reliability import reliability
from clipfg.evaluation.reliability.reliability import Reliability, Strangers
from clipfg.evaluation.statistics.intervals import proportion
from clipfg.functional.novelty import FALSE_ALARMS
from clipfg.heads import Head
from clipfg.heads.support import Support
from clipfg.settings import Settings
from clipfg.types import ClassList
from clipfg.workflows.answers import answers_for, asked_of
from clipfg.workflows.pool import Pool
from clipfg.workflows.protocol.splits import TRAIN, Roles
from clipfg.workflows.session import Data, open_data

logger = logging.getLogger("clipfg")

BY_FOLDS, BY_SPLIT = "folds", "split"
PARTS = 4
"""Of the support, of which one is held out by `--calibration split`."""


@dataclass(frozen=True)
class Known:
    """A head, and what has been learnt of it; `answers` is None where that is nothing.

    `trials` are heads that have not learnt a group of classes; `support` is what the head itself
    has learnt from, `said` the same in words.
    """

    head: Head
    support: Support
    said: str
    answers: Answers | None = None
    trials: list[Unseen] = field(default_factory=list)

    def with_remarks(self, remarks: tuple[str, ...]) -> "Known":
        """The same, and what a test has shown of it."""
        if not remarks or self.answers is None or self.answers.confidence is None:
            return self
        confidence = replace(self.answers.confidence, remarks=remarks)
        return replace(self, answers=replace(self.answers, confidence=confidence))

    @property
    def confidence(self) -> Confidence | None:
        """What goes into a file beside the head."""
        return self.answers.confidence if self.answers else None


def check_asked(settings: Settings, roles: Roles) -> None:
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
            f"Expected --calibration by pictures that nothing is learnt from or tested on, got the"
            f" split {where!r}; try {BY_FOLDS}, {BY_SPLIT} or another split."
        )
    open_data(_calibrating(settings))


def _calibrating(settings: Settings) -> Settings:
    return settings.model_copy(update={"split": settings.calibration, "limit": None})


def learn(
    settings: Settings,
    head: Head,
    support: Support,
    classes: ClassList,
    said: str,
    fit: Callable[[Support], Head],
    embed: Callable[[Data], Pool],
) -> Known:
    """Learn confidence where it is asked for or kept; `fit` fits the head on a part of `support`.

    With one picture of each class nothing can be held out: a sentence says so.
    """
    asked, where = asked_of(settings), settings.calibration
    known = Known(head, support, said)
    if not asked and settings.save is None:
        return known
    held, source = None, ""
    if where == BY_SPLIT:
        out = support.folds(settings.seed, PARTS) == 0
        held, source = support.rows(out), "a quarter of the support, held out"
        support = support.rows(~out)
        if len(held):
            known = Known(fit(support), support, f"three quarters of {said}")
    elif where != BY_FOLDS:
        held, source = _of_split(settings, classes, embed), f"split {where}"
    if (held is not None and not len(held)) or (held is None and int(support.counts.max()) < 2):
        note = "Nothing is known of the head's confidence: that takes two pictures of a class."
        logger.warning(note)
        if asked.promises:
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


def _of_split(settings: Settings, classes: ClassList, embed: Callable[[Data], Pool]) -> Support:
    """The labelled pictures of a split, of the classes that are learnt."""
    data = open_data(_calibrating(settings))
    places = np.array([classes.names.index(n) if n in classes else -1 for n in data.classes.names])
    pool = embed(data.rows(np.flatnonzero(places[data.manifest.labels] >= 0)))
    labels = torch.from_numpy(places[pool.labels])
    return Support(pool.features, labels, len(classes))


def measure(known: Known, test: Pool, classes: ClassList, name: str, seed: int) -> Reliability:
    """Everything that was asked, on test pictures; there has to be a confidence."""
    answers, confidence = known.answers, known.confidence
    assert answers is not None
    assert confidence is not None
    asked, labels = answers.asked, torch.from_numpy(test.labels)
    logits = known.head.logits(test.features)
    calibrated = answers.calibrated(logits)
    shares = calibrated.float().softmax(dim=1)
    certainty, hits = reliability.certainty_and_hits(calibrated, labels)
    area, risk = reliability.risk_points(certainty, hits)
    evaluator = Evaluator(classes, seed=seed)
    evaluator.update(calibrated, test.labels)
    report = evaluator.report()
    answering = sets = None
    if asked.target_error is not None:
        answering = reliability.answering(asked.target_error, answers.answered(shares), hits)
    inside = answers.sets(shares)
    if asked.prediction_set is not None and inside is not None:
        sets = reliability.sets_of(
            inside, labels, classes.names, asked.prediction_set, asked.each_class
        )
    return Reliability(
        head=name,
        learnt_from=known.said,
        calibrated_on=confidence.source,
        n=len(labels),
        accuracy=float(hits.double().mean()),
        raw=reliability.probabilities(logits, labels),
        calibrated=reliability.probabilities(calibrated, labels),
        aurc=area,
        risk=risk,
        answering=answering,
        sets=sets,
        strangers=_strangers(known, test),
        by_level=tuple(report.by_level),
        severity=report.severity,
        promises=answers.notes,
    )


def _strangers(known: Known, test: Pool) -> Strangers | None:
    confidence, answers = known.confidence, known.answers
    assert confidence is not None
    assert answers is not None
    unknowns = confidence.unknowns
    calibrated = answers.calibrated(known.head.logits(test.features))
    familiar = answers.familiarity(test.features, calibrated)
    if unknowns is None or familiar is None:
        return None
    return Strangers(
        score=NAMES[unknowns.score],
        auroc_support=unknowns.aurocs[unknowns.score],
        auroc=auroc_on(
            unknowns.score,
            known.trials,
            test.features,
            torch.from_numpy(test.labels),
            confidence.factor,
        ),
        called_unknown=proportion(int((familiar <= FALSE_ALARMS).sum()), len(familiar)),
    )
