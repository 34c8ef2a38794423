"""What coreset strategies score at each number of keys per class."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from clipfg.evaluation.curves.grid import Grid, GridCell, in_seconds
from clipfg.evaluation.curves.grouped import GroupedFigures
from clipfg.evaluation.statistics.columns import accuracy_columns, difference_columns
from clipfg.evaluation.statistics.repeated import Difference
from clipfg.types import Estimate

NOTES = (
    "Each image is classified as its nearest key, by cosine.",
    "95% intervals cover the test images and, where a strategy is random, its draws"
    " (Satterthwaite's t). Differences are paired. p values are of single t tests: of many, some"
    " fall below 0.05 by chance.",
)


@dataclass(frozen=True)
class BudgetCell:
    """One strategy at one budget.

    `per_class` is the most keys of each class, None for the full support; `keys` are those in all,
    the mean over draws. `top1` is accuracy by the nearest key, `by_draw` that of each draw;
    `seconds` is processor time to condense once. `against` is the difference from the first
    strategy at the same budget, None for the first itself.
    """

    strategy: str
    per_class: int | None
    keys: float
    top1: Estimate
    by_draw: tuple[float, ...]
    seconds: float
    against: Difference | None = None


@dataclass(frozen=True)
class BudgetCurve:
    """Strategies by budgets, on one test set of `n` images and `classes` classes.

    `first` is the strategy that the others are compared with; `grouped` what the full support
    scores with groups kept whole and without.
    """

    KIND: ClassVar[str] = "budget-curve"
    SCHEMA: ClassVar[int] = 1

    n: int
    classes: int
    first: str
    cells: tuple[BudgetCell, ...]
    context: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    grouped: GroupedFigures | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What the numbers mean, a sentence each."""
        return (*((self.grouped.note,) if self.grouped else ()), *NOTES, *self.remarks)

    @property
    def grid(self) -> Grid:
        """Strategies by keys per class, to look at; the full support is a horizontal line."""
        cells = []
        for cell in self.cells:
            name, column, x = cell.strategy, str(cell.per_class), cell.per_class
            if x is None:
                name, column = f"{name} ({cell.keys:,.0f} keys)", "all"
            seconds = in_seconds(cell.seconds)
            cells.append(GridCell(name, column, x, cell.top1, cell.against, seconds))
        measure, more = "accuracy of the nearest key", "seconds to condense"
        return Grid(tuple(cells), self.first, measure, "keys per class", self.context, more)

    def rows(self) -> list[dict[str, Any]]:
        """A row per cell, with figures as shares from 0 to 1."""
        return [
            {
                "strategy": cell.strategy,
                "per_class": cell.per_class,
                "keys": cell.keys,
                **accuracy_columns(cell.top1),
                "draws": len(cell.by_draw),
                **difference_columns(cell.against),
                "seconds": cell.seconds,
            }
            for cell in self.cells
        ]
