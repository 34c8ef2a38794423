"""A report on fine-tuning in a terminal."""

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from clipfg.evaluation.tuning.report import TuningReport, TuningRow
from clipfg.pages.formats import percent, points
from clipfg.pages.terminal_table import table

NAMES, NUMBERS = ("measure",), ("n", "base", "tuned", "kept", "change in points", "chance")


def render_tuning(report: TuningReport, width: int) -> Iterator[RenderableType]:
    """The verdict, a row for each measure, and what the columns mean."""
    what = "  ·  ".join(value for value in report.context.values() if value)
    yield Text.assemble((f"{what}\n", "bold"), report.verdict)
    yield table(NAMES, NUMBERS, [cells(row) for row in report.table], width)
    yield Text("\n".join(notes(report)), style="dim")


def cells(row: TuningRow) -> tuple[str, ...]:
    """The texts of a row under `NAMES` and `NUMBERS`."""
    means = (percent(one.value) for one in (row.base, row.tuned, row.kept))
    return row.measure, f"{row.n:,}", *means, points(row.change), percent(row.chance)


def notes(report: TuningReport) -> Iterator[str]:
    """What the numbers mean, in sentences."""
    yield (
        "base: before; tuned: the weights of training that are best on validation images, or the"
        " base's; kept: what the checkpoint holds, between these two; change: kept less base, with"
        " the 95% interval of the paired difference"
    )
    yield from report.remarks
