"""A learning curve as it looks in a terminal: heads down, shots across."""

from collections.abc import Callable, Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from clipfg.evaluation.curves.cells import in_percent, star
from clipfg.evaluation.curves.learning_curve import LearningCurve, LearningCurveCell
from clipfg.evaluation.reliability import terminal as reliability_terminal
from clipfg.evaluation.report.terminal import bounds

ACCURACY = "right at the first guess, %"


def render(curve: LearningCurve) -> Iterator[RenderableType]:
    """Accuracy, the differences from the first head, and seconds to fit."""
    for part in _parts(curve):
        yield Padding(part, (0, 0, 1, 0))


def _parts(curve: LearningCurve) -> Iterator[RenderableType]:
    what = "  ·  ".join(value for value in curve.context.values() if value)
    kind = "images" if curve.estimated else "test images"
    size = f"{curve.n:,} {kind}, {curve.classes:,} classes; chance {100 / curve.classes:.1f}"
    yield Text.assemble((f"{what}\n", "bold"), (size, "dim"))
    yield _table(curve, ACCURACY, accuracy if len(curve.shots) > 1 else bounded)
    if any(cell.against for cell in curve.cells):
        yield _table(curve, f"points against {curve.first} (* p < 0.05)", difference)
    yield _table(curve, "seconds to fit", seconds)
    yield Text("\n".join(curve.notes), style="dim")
    if curve.reliability is not None:
        yield Group(*reliability_terminal.render(curve.reliability))


def _table(curve: LearningCurve, title: str, show: Callable[[LearningCurveCell], str]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(title, header_style="dim", max_width=28)
    for shots in curve.shots:
        table.add_column(shots, header_style="dim", justify="right", no_wrap=True)
    for label, by_shots in curve.by_head.items():
        if level := by_shots.get(""):
            cells = [show(level), *[""] * (len(curve.shots) - 1)]
        else:
            cells = [show(by_shots[s]) if s in by_shots else "" for s in curve.shots]
        if any(cells):
            table.add_row(Text(label), *cells)
    return table


def accuracy(cell: LearningCurveCell) -> str:
    """In per cent, with half the width of its interval."""
    return in_percent(cell.top1)


def bounded(cell: LearningCurveCell) -> str:
    """In per cent, with its interval, where there is room for it."""
    return f"{100 * cell.top1.value:.1f} ({bounds(cell.top1)})"


def difference(cell: LearningCurveCell) -> str:
    """In points, with half the width of its interval; a star where it is unlikely to be chance."""
    if cell.against is None:
        return ""
    return in_percent(cell.against.estimate, "+") + star(cell.against)


def seconds(cell: LearningCurveCell) -> str:
    """To fit once."""
    return f"{cell.seconds:.2f}" if cell.seconds < 10 else f"{cell.seconds:.0f}"
