"""A report as it looks in a terminal: the numbers first, then where they are lost."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from clipfg.evaluation.intervals import Estimate
from clipfg.evaluation.report import METRICS, Report

ROWS = 8
_BAR = 24  # cells of the bar that stands for 0 to 100 %


def render(report: Report, rows: int = ROWS) -> RenderableType:
    """Headline numbers with intervals, the hardest classes and the most confused pairs."""
    return Group(*(Padding(part, (0, 0, 1, 0)) for part in _parts(report, rows)))


def _parts(report: Report, rows: int) -> Iterator[RenderableType]:
    yield _heading(report)
    yield _headline(report)
    if report.by_domain or report.by_level:
        yield _groups(report)
    if any(row.accuracy is not None and row.accuracy < 1 for row in report.per_class):
        yield _hardest(report, rows)
    if report.confusions:
        yield _confused(report, rows)
    if remarks := tuple(notes(report)):
        yield Text("\n".join(remarks), style="dim")


def _heading(report: Report) -> Text:
    size = f"{report.n:,} pictures, {report.classes:,} classes"
    what = "  ·  ".join(value for value in report.context.values() if value)
    return Text.assemble((what + "\n" if what else "", "bold"), (size, "dim"))


def _table(*columns: str, text_columns: int = 1, title: str = "") -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), title=title or None)
    table.title_justify = "left"
    table.title_style = "bold"
    for position, column in enumerate(columns):
        is_text = position < text_columns
        table.add_column(
            column,
            justify="left" if is_text else "right",
            no_wrap=not is_text,
            header_style="dim",
        )
    return table


def _headline(report: Report) -> Table:
    table = _table("", "", "95 % interval")
    table.add_column("", no_wrap=True)
    for key in report.shown_metrics:
        estimate = report.metrics[key]
        if key == "nll":
            cells = (f"{estimate.value:.3f}", f"{estimate.low:.3f} – {estimate.high:.3f}", Text())
        else:
            bar = Text() if key == "ece" else _bar(estimate, report.chance_of(key))
            cells = (percent(estimate.value), bounds(estimate), bar)
        style = "bold" if key == "top1" else ""
        table.add_row(Text(METRICS[key], style), Text(cells[0], style), *cells[1:])
    line = f"chance {percent(report.chance)}, commonest class {percent(report.majority)}"
    table.add_row("", "", "", Text(line, style="dim"))
    return table


def _bar(estimate: Estimate, chance: float | None) -> Text:
    """0 to 100 %: filled to the lower bound, shaded over the interval, `|` at chance."""
    bar = Text()
    low, high = round(estimate.low * _BAR), max(1, round(estimate.high * _BAR))
    mark = None if chance is None else min(_BAR - 1, int(chance * _BAR))
    for cell in range(_BAR):
        if cell == mark:
            bar.append("|", "yellow")
        elif cell < low:
            bar.append("━", "cyan")
        elif cell < max(high, low + 1) and cell < _BAR:
            bar.append("╌", "cyan")
        else:
            bar.append("─", "bright_black")
    return bar


def _groups(report: Report) -> Table:
    table = _table("by domain and group", "pictures", "classes", "right", "95 % interval", "chance")
    for row in report.by_domain:
        table.add_row(
            Text(row.name),
            f"{row.n:,}",
            f"{row.classes:,}",
            percent(row.top1.value),
            bounds(row.top1),
            percent(report.chance),
        )
    for level in report.by_level:
        table.add_row(
            Text(f"right {level_name(level.level)}"),
            f"{level.n:,}",
            f"{level.groups:,}",
            percent(level.accuracy.value),
            bounds(level.accuracy),
            percent(level.chance),
        )
    return table


def _hardest(report: Report, rows: int) -> Table:
    table = _table("hardest classes", "pictures", "right", "in top 5", "precision")
    for row in report.worst(rows):
        if row.accuracy is None or row.accuracy == 1:
            continue
        table.add_row(
            Text(row.name),
            f"{row.n:,}",
            percent(row.accuracy),
            percent(row.top5) if report.classes > 5 else "",
            percent(row.precision),
        )
    return table


def _confused(report: Report, rows: int) -> Table:
    table = _table("most confused", "taken for", "times", "of its pictures", text_columns=2)
    for pair in report.confusions[:rows]:
        table.add_row(
            Text(pair.true), Text(pair.predicted), f"{pair.count:,}", percent(pair.share, 0)
        )
    return table


def notes(report: Report, names: int = 3) -> Iterator[str]:
    """What the numbers do not cover, in sentences; at most `names` absent classes are named."""
    if absent := report.absent:
        listed = ", ".join(absent[:names]) + (", ..." if len(absent) > names else "")
        one = len(absent) == 1
        yield (
            f"{len(absent):,} {'class has' if one else 'classes have'} no picture here and"
            f" {'enters' if one else 'enter'} no mean: {listed}"
        )
    if count := report.unlabelled:
        one = count == 1
        yield (
            f"{count:,} {'picture' if one else 'pictures'} without a label"
            f" {'is' if one else 'are'} not counted"
        )


def percent(value: float | None, digits: int = 1) -> str:
    """A share as a percentage, with a space that does not break; "–" for no value."""
    return "–" if value is None else f"{100 * value:.{digits}f}\N{NO-BREAK SPACE}%"


def bounds(estimate: Estimate) -> str:
    """The interval of a share."""
    return f"{100 * estimate.low:.1f} – {100 * estimate.high:.1f}"


def level_name(level: int) -> str:
    """What the ancestor at a level is called: "parent", "grandparent", ..."""
    return "great-" * (level - 2) + ("parent" if level == 1 else "grandparent")
