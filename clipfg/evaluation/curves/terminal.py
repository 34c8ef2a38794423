"""Curves in a terminal: series down, x across."""

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from clipfg.evaluation.curves.budget_curve import BudgetCurve
from clipfg.evaluation.curves.grid import SIGNIFICANT, Grid, GridCell, star, with_reach
from clipfg.evaluation.curves.learning_curve import LearningCurve
from clipfg.evaluation.reliability.terminal import render_reliability
from clipfg.pages.formats import bounds, percent
from clipfg.pages.terminal_table import table


def render_curve(curve: LearningCurve | BudgetCurve, width: int) -> Iterator[RenderableType]:
    """Accuracy, the differences from the first series, seconds, and reliability."""
    what = "  ·  ".join(value for value in curve.context.values() if value)
    folds = isinstance(curve, LearningCurve) and curve.estimated
    size = (
        f"{curve.n:,} {'images' if folds else 'test images'}, {curve.classes:,} classes;"
        f" chance {percent(1 / curve.classes)}"
    )
    yield Text.assemble((f"{what}\n" if what else "", "bold"), (size, "dim"))
    yield from render_grid(curve.grid, width)
    yield Text("\n".join(curve.notes), style="dim")
    if isinstance(curve, LearningCurve) and curve.reliability is not None:
        yield from render_reliability(curve.reliability, width)


def render_grid(grid: Grid, width: int) -> Iterator[RenderableType]:
    """A table of accuracies, and of what else there is: differences, further figures."""
    tables = (
        (f"{grid.measure}, %", _accuracy if len(grid.columns) > 1 else _bounded),
        (f"points against {grid.first} (* p < {SIGNIFICANT})", _difference),
        (grid.more_label, lambda cell: cell.more),
    )
    for title, show in tables:
        columns, rows = grid.table(show)
        if rows:
            yield table((title,), columns, rows, width)


def _accuracy(cell: GridCell) -> str:
    return with_reach(cell.accuracy)


def _bounded(cell: GridCell) -> str:
    return f"{100 * cell.accuracy.value:.1f} ({bounds(cell.accuracy)})"


def _difference(cell: GridCell) -> str:
    if cell.against is None:
        return ""
    return with_reach(cell.against.estimate, "+") + star(cell.against)
