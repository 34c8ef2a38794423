"""Measuring the parts of a `Reliability` from logits, labels and answers."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from torch import Tensor

from clipfg.evaluation.reliability.reliability import (
    CalibrationResult,
    PredictionSetResult,
    SelectiveResult,
)
from clipfg.evaluation.statistics.intervals import proportion
from clipfg.evaluation.statistics.tolerance import least_coverage, most_errors
from clipfg.functional import metrics
from clipfg.functional.conformal import fewest_calibrating
from clipfg.functional.selective import aurc, risk_coverage
from clipfg.functional.similarity import confidence, top_classes

POINTS = 50
"""Points of the risk-coverage curve that are kept."""


def calibration(logits: Float[Tensor, "n c"], labels: Int[Tensor, " n"]) -> CalibrationResult:
    """NLL and calibration error of logits."""
    certainty, hits = certainty_and_hits(logits, labels)
    return CalibrationResult(
        nll=float(metrics.negative_log_likelihood(logits.numpy(), labels.numpy()).mean()),
        ece=metrics.expected_calibration_error(certainty.numpy(), hits.numpy()),
    )


def certainty_and_hits(
    logits: Float[Tensor, "n c"], labels: Int[Tensor, " n"]
) -> tuple[Float[Tensor, " n"], Bool[Tensor, " n"]]:
    """The largest probability of each image, and whether its class is the true one."""
    return confidence(logits), top_classes(logits, 1)[:, 0] == labels


def risk_points(
    certainty: Float[Tensor, " n"], hits: Bool[Tensor, " n"]
) -> tuple[float, tuple[tuple[float, float], ...]]:
    """The area under the risk-coverage curve, and at most `POINTS` points of it."""
    curve = risk_coverage(certainty, hits)
    # The error among very few images is noise: the curve begins at its tenth image.
    first = min(int((curve.coverage * len(hits) < 10).sum()), len(curve.coverage) - 1)
    every = torch.linspace(first, len(curve.coverage) - 1, min(POINTS, len(curve.coverage) - first))
    places = every.round().long()
    points = zip(curve.coverage[places].tolist(), curve.risk[places].tolist(), strict=True)
    return aurc(certainty, hits), tuple(points)


def selective(
    target: float, answered: Bool[Tensor, " n"], hits: Bool[Tensor, " n"]
) -> SelectiveResult:
    """How many images are answered, and how many of those answers are wrong."""
    count, wrong = int(answered.sum()), int((answered & ~hits).sum())
    share = proportion(wrong, count) if count else None
    most = most_errors(target, count)
    return SelectiveResult(target, proportion(count, len(hits)), share, most)


def prediction_sets(
    inside: Bool[Tensor, "n c"],
    labels: Int[Tensor, " n"],
    names: tuple[str, ...],
    level: float,
    each_class: bool,
    calibrated: Int[Tensor, " c"],
) -> PredictionSetResult:
    """Coverage and size of prediction sets, given as the classes inside each.

    `calibrated` counts the calibration images of each class.
    """
    covered = inside.gather(1, labels[:, None])[:, 0].numpy()
    sizes = inside.sum(dim=1)
    counts = np.bincount(labels.numpy(), minlength=len(names))
    caught = np.bincount(labels.numpy(), weights=covered, minlength=len(names))
    guaranteed, least = _guaranteed(caught, counts, calibrated.numpy(), level, each_class)
    return PredictionSetResult(
        level=level,
        each_class=each_class,
        coverage=proportion(int(covered.sum()), len(covered)),
        mean_size=float(sizes.double().mean()),
        single=float((sizes == 1).double().mean()),
        empty=float((sizes == 0).double().mean()),
        by_class=tuple(
            (name, int(n), float(c / n))
            for name, n, c in zip(names, counts, caught, strict=True)
            if n
        ),
        guaranteed=guaranteed,
        least=least,
    )


def _guaranteed(
    caught: NDArray[Any],
    tested: NDArray[Any],
    calibrated: NDArray[Any],
    level: float,
    each_class: bool,
) -> tuple[float, float]:
    """The coverage of images with a guarantee, and the least that chance explains."""
    if each_class:
        own = calibrated >= fewest_calibrating(level)
        caught, tested, calibrated = caught[own], tested[own], calibrated[own]
    else:
        caught, tested, calibrated = (x.sum(keepdims=True) for x in (caught, tested, calibrated))
    share = float(caught.sum() / tested.sum()) if tested.sum() else 1.0
    return share, least_coverage(level, calibrated.tolist(), tested.tolist())
