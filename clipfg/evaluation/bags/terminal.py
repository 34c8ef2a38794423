"""A report on bags in a terminal."""

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from clipfg.evaluation.bags.report import BagCell, BagReport
from clipfg.evaluation.statistics.repeated import Difference
from clipfg.pages.formats import bounds, points
from clipfg.pages.terminal_table import table

NAMES = ("head",)


def columns(report: BagReport) -> tuple[str, ...]:
    """The headings of the columns after the name."""
    own = ("accuracy, %", "AUC, %")
    if len(report.cells) == 1:
        return (*own, "seconds")
    against = (f"points against {report.first}", "p", "AUC points", "p")
    return (*own, *against, "seconds")


def cells(cell: BagCell, report: BagReport) -> tuple[str, ...]:
    """The texts of a row."""
    own = [f"{100 * x.value:.1f} ({bounds(x)})" for x in (cell.top1, cell.auc)]
    if len(report.cells) > 1:
        own += [*_difference(cell.against), *_difference(cell.auc_against)]
    return (cell.head, *own, f"{cell.seconds:.1f}")


def render_bags(report: BagReport, width: int) -> Iterator[RenderableType]:
    """What was run, a row for each head, and what the columns mean."""
    what = "  ·  ".join(value for value in report.context.values() if value)
    yield Text.assemble((f"{what}\n" if what else "", "bold"), (report.lead, "dim"))
    rows = [cells(cell, report) for cell in report.cells]
    yield table(NAMES, columns(report), rows, width)
    yield Text("\n".join(report.notes), style="dim")


def _difference(against: Difference | None) -> tuple[str, str]:
    return (points(against.estimate), f"{against.p_value:.2g}") if against else ("", "")
