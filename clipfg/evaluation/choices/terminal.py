"""A report on choices in a terminal."""

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from clipfg.evaluation.choices.report import ChoiceReport, ChoiceRow
from clipfg.pages.formats import bounds, count, percent, points
from clipfg.pages.terminal_table import table


def render_choices(report: ChoiceReport, width: int) -> Iterator[RenderableType]:
    """A row for each subset, and what its figures mean."""
    what = "  ·  ".join(value for value in report.context.values() if value)
    yield Text.assemble((f"{what}\n" if what else "", "bold"), (count(report.n, "item"), "dim"))
    rows = [cells(row, report.has_pairs) for row in report.table]
    names, numbers = headings(report.has_pairs)
    yield table(names, numbers, rows, width)
    yield Text("\n".join(notes(report)), style="dim")


def headings(pairs: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The columns of names, and those of figures."""
    if pairs:
        return ("subset", "score"), ("pairs", "accuracy", "95% interval", "chance")
    controls = ("chance", "by length", "texts alone", "points above them")
    return ("subset",), ("items", "accuracy", "95% interval", *controls)


def cells(row: ChoiceRow, pairs: bool) -> tuple[str, ...]:
    """The texts of a row under `headings`."""
    figures = (f"{row.n:,}", percent(row.accuracy.value), bounds(row.accuracy), percent(row.chance))
    if pairs:
        return row.subset, row.measure, *figures
    gain = points(row.gain) if row.gain else ""
    return row.subset, *figures, percent(row.by_length), percent(row.blind), gain


def notes(report: ChoiceReport) -> Iterator[str]:
    """What the numbers mean, in sentences."""
    if report.has_pairs:
        yield (
            "text: both images score higher with their own text; image: both texts with their own"
            " image; group: both"
        )
    else:
        yield (
            "accuracy: the true text scores above all others; by length: the better of always the"
            " longest and always the shortest text; texts alone: the same scores with the mean of"
            " all images in place of each"
        )
    yield f"Intervals are over {'pairs' if report.has_pairs else 'images, with all items of each'}"
    if tied := sum(row.ties for row in report.overall):
        yield f"{count(tied, 'tie')} for the highest score counted as wrong"
    yield from report.remarks
