"""What was asked of a calibrated head, measured on test images."""

import torch

from clipfg.confidence.guarantees import NAMES
from clipfg.confidence.ood_detector import auroc_on
from clipfg.evaluation.evaluator import Evaluator
from clipfg.evaluation.reliability import measures
from clipfg.evaluation.reliability.reliability import OODResult, Reliability
from clipfg.evaluation.statistics.intervals import proportion
from clipfg.evaluation.statistics.tolerance import least_coverage
from clipfg.functional.novelty import FALSE_ALARMS
from clipfg.types import ClassList
from clipfg.workflows.fewshot.calibration import CalibratedHead
from clipfg.workflows.pool import FeaturePool, in_blocks


def measure_reliability(
    known: CalibratedHead, test: FeaturePool, classes: ClassList, name: str, seed: int
) -> Reliability:
    """How the head called `name`, which must have a confidence, does on the test images."""
    answers, confidence = known.answers, known.confidence
    assert answers is not None
    assert confidence is not None
    asked, labels = answers.options, torch.from_numpy(test.labels)
    given = test.items.given_to(type(known.head))
    logits = torch.cat(list(in_blocks(given, known.head.logits)))
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
            inside,
            labels,
            classes.names,
            asked.prediction_set,
            asked.each_class,
            calibrated=torch.bincount(confidence.labels, minlength=len(classes)),
        )
    detector, familiar = confidence.ood, answers.familiarity(test.features, calibrated)
    ood = None
    if detector is not None and familiar is not None:
        factor = confidence.factor
        ood = OODResult(
            score=NAMES[detector.score].format(unit="image"),
            auroc_support=detector.aurocs.get(detector.score),
            auroc=auroc_on(detector.score, known.trials, test.items, labels, factor),
            called_unknown=proportion(int((familiar <= FALSE_ALARMS).sum()), len(familiar)),
            most=1 - least_coverage(1 - FALSE_ALARMS, [len(detector.known)], [len(familiar)]),
        )
    return Reliability(
        head=name,
        learnt_from=known.learnt_from,
        calibrated_on=confidence.source,
        n=len(labels),
        accuracy=float(hits.double().mean()),
        raw=measures.calibration(logits, labels),
        calibrated=measures.calibration(calibrated, labels),
        aurc=area,
        risk=risk,
        answering=answering,
        sets=sets,
        ood=ood,
        by_level=report.by_level,
        severity=report.severity,
        guarantees=answers.notes,
    )
