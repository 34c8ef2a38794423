"""What few-shot heads score at each number of shots."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from clipfg.evaluation.curves.grid import Grid, GridCell, in_seconds
from clipfg.evaluation.curves.grouped import GroupedFigures
from clipfg.evaluation.reliability.reliability import Reliability
from clipfg.evaluation.statistics.columns import accuracy_columns, difference_columns
from clipfg.evaluation.statistics.repeated import Difference
from clipfg.types import Estimate

INTERVALS = (
    "95% intervals cover both the test images and the draws of the support (Satterthwaite's t);"
    " with one draw, the images alone."
)
PAIRED = (
    "Differences are paired, on the same images and draws. p values are of single t tests: of many,"
    " some fall below 0.05 by chance."
)


@dataclass(frozen=True)
class LearningCurveCell:
    """One head at one number of shots.

    `shots` is empty for a head that learns from no image; `per_class` images of each class were
    learnt from, on average. `top1` is the mean over draws and items, with the interval of
    `repeated.accuracy_over`; `by_seed` has the accuracy of each draw; `mean_per_class` is the mean
    over classes of their accuracy over the draws. `seconds` are those of one fit, the choice of
    settings included. `against` is the difference from the first head on the same items and draws,
    None for the first itself. A `transductive` head saw all unlabelled test images before it
    classified any.
    """

    head: str
    shots: str
    per_class: float
    top1: Estimate
    by_seed: tuple[float, ...]
    mean_per_class: float
    seconds: float
    against: Difference | None = None
    transductive: bool = False

    @property
    def label(self) -> str:
        """The head's name, marked where it is transductive."""
        return f"{self.head} (transductive)" if self.transductive else self.head


@dataclass(frozen=True)
class LearningCurve:
    """Heads by shots, on one test set of `n` images and `classes` classes.

    `first` is the head that the others are compared with; `cells` are in the order of heads, then
    shots. `estimated` says how accuracy was estimated, where there was no separate test set;
    `context` what was run; `remarks` what else a reader must know, a sentence each; `reliability`
    how well the first head's guarantees hold, where any were asked for; `grouped` what the first
    head scores at the most shots with groups kept whole and without.
    """

    KIND: ClassVar[str] = "learning-curve"
    SCHEMA: ClassVar[int] = 1

    n: int
    classes: int
    first: str
    cells: tuple[LearningCurveCell, ...]
    estimated: str = ""
    context: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    reliability: Reliability | None = None
    grouped: GroupedFigures | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What the numbers mean and do not cover, a sentence each."""
        estimated = (self.estimated,) if self.estimated else ()
        paired = (PAIRED,) if any(cell.against for cell in self.cells) else ()
        grouped = (self.grouped.note,) if self.grouped else ()
        return (*grouped, *estimated, INTERVALS, *paired, *self.remarks)

    @property
    def grid(self) -> Grid:
        """Heads by shots, to look at; a head that learns from no image is a horizontal line."""
        cells = tuple(
            GridCell(c.label, c.shots, _place(c), c.top1, c.against, in_seconds(c.seconds))
            for c in self.cells
        )
        x_label = "images per class to learn from"
        return Grid(cells, self.first, "top-1 accuracy", x_label, self.context, "seconds to fit")

    def rows(self) -> list[dict[str, Any]]:
        """A row per cell, with figures as shares from 0 to 1."""
        return [
            {
                "head": cell.head,
                "shots": cell.shots or None,
                "per_class": cell.per_class,
                **accuracy_columns(cell.top1),
                "lowest_draw": min(cell.by_seed),
                "highest_draw": max(cell.by_seed),
                "draws": len(cell.by_seed),
                "mean_per_class": cell.mean_per_class,
                **difference_columns(cell.against),
                "seconds": cell.seconds,
                "transductive": cell.transductive,
            }
            for cell in self.cells
        ]


def _place(cell: LearningCurveCell) -> float | None:
    if not cell.shots:
        return None
    return float(cell.shots) if cell.shots.isdecimal() else cell.per_class
