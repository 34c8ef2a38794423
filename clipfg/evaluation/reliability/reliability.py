"""Whether guarantees hold on a test set: of calibration, abstention, sets and OOD detection."""

from dataclasses import dataclass

from pydantic import computed_field

from clipfg.evaluation.report.report import LevelRow
from clipfg.evaluation.report.rolled_up import RolledUp
from clipfg.evaluation.statistics.severity import Severity
from clipfg.functional.novelty import FALSE_ALARMS
from clipfg.types import Estimate

FEWEST = 10
"""Test images that a class needs for its own coverage to be reported."""


@dataclass(frozen=True)
class CalibrationResult:
    """Mean NLL in nats and expected calibration error of logits."""

    nll: float
    ece: float


@dataclass(frozen=True)
class SelectiveResult:
    """The share of images answered under a threshold, and the share of those answers that is wrong.

    `wrong` is None where nothing is answered. `most` is the largest such share that chance explains
    where the guarantee holds.
    """

    target: float
    answered: Estimate
    wrong: Estimate | None
    most: float = 1.0


@dataclass(frozen=True)
class PredictionSetResult:
    """Prediction sets at a level: the coverage asked for, within each class if `each_class`.

    `coverage` is the share of images whose true class is in the set. `mean_size` counts classes per
    set; `single` and `empty` are the shares of sets with one class and with none. `by_class` has
    each class's name, images and coverage. `guaranteed` is the coverage of images for which the
    level is guaranteed (with `each_class`, those of classes with a threshold of their own), `least`
    the smallest that chance explains where the guarantee holds.
    """

    level: float
    each_class: bool
    coverage: Estimate
    mean_size: float
    single: float
    empty: float
    by_class: tuple[tuple[str, int, float], ...]
    guaranteed: float = 1.0
    least: float = 0.0

    @property
    def lowest(self) -> tuple[str, int, float] | None:
        """The class with the lowest coverage among those with `FEWEST` images or more."""
        counted = [row for row in self.by_class if row[1] >= FEWEST]
        return min(counted, key=lambda row: row[2]) if counted else None


@dataclass(frozen=True)
class OODResult:
    """Detection, by a score, of images that belong to none of the classes.

    `auroc_support` is on held-out images of the support, `auroc` on the test images, each the mean
    over heads that have not learnt a group of classes; None where there is none or where the test
    set could not tell.
    `called_unknown` is the share of test images, all of known classes, that are flagged as
    out-of-distribution, `most` the largest such share that chance explains where the guarantee
    holds.
    """

    score: str
    auroc_support: float | None
    auroc: float | None
    called_unknown: Estimate
    most: float = 1.0


@dataclass(frozen=True)
class Reliability:
    """One head's confidence, measured on `n` test images that played no part in it.

    `learnt_from` and `calibrated_on` name the images that the head was fitted and calibrated on;
    `raw` and `calibrated` are before and after scaling. `aurc` is the area under the risk-coverage
    curve, at which uninformative certainty scores 1 - `accuracy`; `risk` are points (share
    answered, share wrong) of that curve. `answering`, `sets`, `ood` and `rolled_up` are there where
    they were asked for, `by_level` and `severity` where the classes have a taxonomy. `guarantees`
    says what was guaranteed, a sentence each.
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
    def subject(self) -> str:
        """The head and its images, in words."""
        return f"{self.head}, learnt from {self.learnt_from}, calibrated on {self.calibrated_on}"

    @computed_field  # type: ignore[prop-decorator]
    @property
    def unmet(self) -> tuple[str, ...]:
        """A warning where the test set contradicts guarantees beyond chance; else empty.

        Chance is the draw of both the test and the calibration images (`statistics.tolerance`).
        Results of earlier versions, which did not keep what chance explains, have no warning.
        """
        found = []
        answering = self.answering
        if answering and answering.wrong and answering.wrong.value > answering.most:
            found.append(
                f"{answering.wrong.value:.1%} of answers were wrong (guaranteed: at most"
                f" {answering.target:.0%}; by chance up to {answering.most:.1%})"
            )
        if (sets := self.sets) and sets.guaranteed < sets.least:
            found.append(
                f"prediction sets held {sets.guaranteed:.1%} of true classes (guaranteed: at"
                f" least {sets.level:.0%}; by chance down to {sets.least:.1%})"
            )
        if (ood := self.ood) and ood.called_unknown.value > ood.most + 1e-9:
            found.append(
                f"{ood.called_unknown.value:.1%} of images of known classes were flagged as"
                f" out-of-distribution (guaranteed: at most {FALSE_ALARMS:.0%}; by chance up to"
                f" {ood.most:.1%})"
            )
        if not found:
            return ()
        return (
            f"Guarantee NOT met on the test set: {'; '.join(found)}. The images used for"
            f" calibration ({self.calibrated_on}) differ from those of the test set: the encoder"
            " may have been trained on them, or they were taken elsewhere. Calibrate on others,"
            " taken as those you will classify are (--calibration SPLIT names a split of"
            " --dataset).",
        )
