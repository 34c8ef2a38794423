"""Whether guarantees held on a test set: calibration, abstention, prediction sets, OOD flags."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from clipfg.errors import DataError
from clipfg.evaluation.report.report import LevelRow
from clipfg.evaluation.report.rolled_up import RolledUp
from clipfg.evaluation.statistics.intervals import proportion, wilson_interval
from clipfg.evaluation.statistics.severity import Severity
from clipfg.functional.metrics import expected_calibration_error, negative_log_likelihood
from clipfg.functional.novelty import FALSE_ALARMS
from clipfg.functional.selective import aurc, risk_coverage
from clipfg.functional.similarity import top_classes
from clipfg.pages.chart import Chart, Curve
from clipfg.types import Estimate

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

POINTS = 50
"""Of the risk-coverage curve that are kept."""
FEWEST = 10
"""Test images from which a class's own coverage is worth a word."""


@dataclass(frozen=True)
class CalibrationResult:
    """Mean NLL in nats and calibration error of one scaling of the logits."""

    nll: float
    ece: float


@dataclass(frozen=True)
class SelectiveResult:
    """Answers under a threshold: the share of images answered, and of those the share wrong.

    `wrong` is None where nothing is answered.
    """

    target: float
    answered: Estimate
    wrong: Estimate | None


@dataclass(frozen=True)
class PredictionSetResult:
    """Prediction sets at a level.

    Attributes
    ----------
    level, each_class
        What was asked.
    coverage
        The share of images whose true class is in the set.
    mean_size, single, empty
        Classes in a set; the shares of sets of one class and of none.
    by_class
        Each class's name, images and coverage.
    """

    level: float
    each_class: bool
    coverage: Estimate
    mean_size: float
    single: float
    empty: float
    by_class: tuple[tuple[str, int, float], ...]

    @property
    def lowest(self) -> tuple[str, int, float] | None:
        """The class with the lowest coverage among those with `FEWEST` images or more."""
        counted = [row for row in self.by_class if row[1] >= FEWEST]
        return min(counted, key=lambda row: row[2]) if counted else None


@dataclass(frozen=True)
class OODResult:
    """Telling images of no class.

    Attributes
    ----------
    score
        What tells them.
    auroc_support, auroc
        On held-out images of the support and on the test images, each the mean over heads that
        have not learnt a group of classes; None where the test set could not tell.
    called_unknown
        The share of test images, all of known classes, that are called unknown.
    """

    score: str
    auroc_support: float
    auroc: float | None
    called_unknown: Estimate


@dataclass(frozen=True)
class Reliability:
    """One head's confidence, measured on `n` test images that nothing has seen.

    Attributes
    ----------
    head, learnt_from, calibrated_on
        Which head, and the images behind it, in words.
    raw, calibrated
        Probabilities before and after scaling.
    aurc
        The area under the risk-coverage curve; `accuracy` its value for a certainty that says
        nothing is 1 - accuracy.
    risk
        Points (share answered, share wrong) of that curve.
    answering, sets, strangers, rolled_up
        What was asked.
    by_level, severity
        Where the classes have a taxonomy.
    guarantees
        What was guaranteed, a sentence each.
    """

    head: str
    learnt_from: str
    calibrated_on: str
    n: int
    accuracy: float
    raw: CalibrationResult
    calibrated: CalibrationResult
    aurc: float
    risk: tuple[tuple[float, float], ...]
    answering: SelectiveResult | None = None
    sets: PredictionSetResult | None = None
    ood: OODResult | None = None
    rolled_up: RolledUp | None = None
    by_level: tuple[LevelRow, ...] = ()
    severity: Severity | None = None
    guarantees: tuple[str, ...] = ()

    @property
    def broken(self) -> tuple[str, ...]:
        """The guarantees that the test images contradict, beyond what chance explains."""
        found = []
        wrong = self.answering.wrong if self.answering else None
        if self.answering is not None and wrong is not None and wrong.low > self.answering.target:
            target = self.answering.target
            found.append(
                f"{wrong.value:.1%} of answers were wrong (guaranteed: at most {target:.0%})"
            )
        if self.sets is not None and self.sets.coverage.high < self.sets.level:
            held, level = self.sets.coverage.value, self.sets.level
            found.append(f"sets held {held:.1%} of true classes (guaranteed: {level:.0%})")
        if self.ood is not None and self.ood.called_unknown.low > FALSE_ALARMS:
            called = self.ood.called_unknown.value
            found.append(
                f"{called:.1%} were called unknown (guaranteed: at most {FALSE_ALARMS:.0%})"
            )
        if not found:
            return ()
        return (
            f"BROKEN on the test images: {'; '.join(found)}. What confidence was learnt from"
            f" ({self.calibrated_on}) is not like them; the encoder may know it already, or it was"
            " taken elsewhere. Calibrate on images like those to come: --calibration SPLIT.",
        )

    def chart(self) -> Chart:
        """Error among the answered against how many are answered."""
        estimates = tuple(
            Estimate(risk, *_within_0_and_1(wilson_interval(round(risk * m), m)))
            for share, risk in self.risk
            for m in [max(round(share * self.n), 1)]
        )
        x = tuple(100 * share for share, _ in self.risk)
        curves = [Curve(self.head, x, estimates)]
        if self.answering is not None:
            target = self.answering.target
            line = (Estimate(target, target, target),)
            curves.append(Curve(f"asked: {target:.0%}", (), line, level=True))
        return Chart(
            title="Error among answered images, the surest answered first",
            x_label="images answered (%)",
            y_label="wrong among them",
            curves=tuple(curves),
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values; `from_json` reads them back."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """What `to_json` wrote. Raises `DataError` for anything else."""
        from clipfg.evaluation.reliability.json import parse

        try:
            return cls(**parse(content))
        except (KeyError, TypeError) as error:
            raise DataError(f"Expected a whole record of reliability, got {error}.") from None

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "RenderResult":
        from clipfg.evaluation.reliability.terminal import render

        yield from render(self)


def probabilities(logits: Float[Tensor, "n c"], labels: Int[Tensor, " n"]) -> CalibrationResult:
    """NLL and calibration error of logits."""
    certainty, hits = certainty_and_hits(logits, labels)
    return CalibrationResult(
        nll=float(negative_log_likelihood(logits, labels).mean()),
        ece=float(expected_calibration_error(certainty, hits)),
    )


def certainty_and_hits(
    logits: Float[Tensor, "n c"], labels: Int[Tensor, " n"]
) -> tuple[Float[Tensor, " n"], Bool[Tensor, " n"]]:
    """The largest probability of each image, and whether its class is the true one."""
    certainty = logits.float().softmax(dim=1).amax(dim=1)
    return certainty, top_classes(logits, 1)[:, 0] == labels


def risk_points(
    certainty: Float[Tensor, " n"], hits: Bool[Tensor, " n"]
) -> tuple[float, tuple[tuple[float, float], ...]]:
    """The area under the risk-coverage curve, and at most `POINTS` points of it."""
    curve = risk_coverage(certainty, hits)
    # The surest few say little: the curve begins at its tenth image.
    first = min(int((curve.coverage * len(hits) < 10).sum()), len(curve.coverage) - 1)
    every = torch.linspace(first, len(curve.coverage) - 1, min(POINTS, len(curve.coverage) - first))
    places = every.round().long()
    points = zip(curve.coverage[places].tolist(), curve.risk[places].tolist(), strict=True)
    return aurc(certainty, hits), tuple(points)


def answering(
    target: float, answered: Bool[Tensor, " n"], hits: Bool[Tensor, " n"]
) -> SelectiveResult:
    """How many images are answered, and how many of those wrongly."""
    count, wrong = int(answered.sum()), int((answered & ~hits).sum())
    share = proportion(wrong, count) if count else None
    return SelectiveResult(target, proportion(count, len(hits)), share)


def sets_of(
    inside: Bool[Tensor, "n c"],
    labels: Int[Tensor, " n"],
    names: tuple[str, ...],
    level: float,
    each_class: bool,
) -> PredictionSetResult:
    """Coverage and size of prediction sets."""
    covered = inside.gather(1, labels[:, None])[:, 0].numpy()
    sizes = inside.sum(dim=1)
    counts = np.bincount(labels.numpy(), minlength=len(names))
    caught = np.bincount(labels.numpy(), weights=covered, minlength=len(names))
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
    )


def _within_0_and_1(bounds: tuple[float, float]) -> tuple[float, float]:
    return max(bounds[0], 0.0), min(bounds[1], 1.0)
