"""A report as it looks in a terminal: the numbers first, then where they are lost."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from clipfg.evaluation.report.report import Report
from clipfg.evaluation.report.rolled_up import RolledUp
from clipfg.evaluation.statistics.severity import Severity
from clipfg.types import Estimate

ROWS = 8
_BAR = 24  # cells of the bar that stands for 0 to 100 %
_ROOMY = 76  # columns that everything fits in; a narrower terminal gets the names and numbers


def render(report: Report, width: int = _ROOMY, rows: int = ROWS) -> RenderableType:
    """Headline numbers with intervals, the hardest classes and the most confused pairs."""
    return Group(*(Padding(part, (0, 0, 1, 0)) for part in _parts(report, width >= _ROOMY, rows)))


def _parts(report: Report, roomy: bool, rows: int) -> Iterator[RenderableType]:
    yield _heading(report)
    yield _headline(report, roomy)
    if report.by_domain or report.by_level:
        yield _groups(report, roomy)
    if any(row.accuracy is not None and row.accuracy < 1 for row in report.per_class):
        yield _hardest(report, roomy, rows)
    if report.confusions:
        yield _confused(report, rows)
    if remarks := tuple(notes(report)):
        yield Text("\n".join(remarks), style="dim")


def _heading(report: Report) -> Text:
    what = "  ·  ".join(value for value in report.context.values() if value)
    size = (
        f"{report.n:,} images, {report.classes:,} classes; chance {percent(report.chance)},"
        f" the commonest class {percent(report.majority)}"
    )
    caveat = f"{report.caveat}\n" if report.caveat else ""
    return Text.assemble((what + "\n" if what else "", "bold"), (caveat, "yellow"), (size, "dim"))


def _table(*columns: str, names: int = 1) -> Table:
    """A table without lines; the first `names` columns hold text, which may wrap."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for position, column in enumerate(columns):
        if position < names:
            table.add_column(column, header_style="dim", min_width=14)
        else:
            table.add_column(column, header_style="dim", justify="right", no_wrap=True)
    return table


def _headline(report: Report, roomy: bool) -> Table:
    table = _table("", "", "95 % interval")
    if roomy:
        table.add_column("| is chance", header_style="dim", no_wrap=True)
    for key in report.shown_metrics:
        estimate = report.metrics[key]
        value, interval = percent(estimate.value), bounds(estimate)
        if key == "nll":
            value, interval = f"{estimate.value:.3f}", f"{estimate.low:.3f} – {estimate.high:.3f}"
        has_bar = roomy and key not in ("nll", "ece")
        style = "bold" if key == "top1" else ""
        cells: list[RenderableType] = [
            Text(report.title_of(key), style),
            Text(value, style),
            interval,
        ]
        table.add_row(*cells, *([_bar(estimate, report.chance_of(key))] if has_bar else []))
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


def _groups(report: Report, roomy: bool) -> Table:
    counts = ("images", "classes") if roomy else ()
    table = _table("by domain and group", *counts, "right", "95 % interval", "chance")
    rows = [(row.name, row.n, row.classes, row.top1, report.chance) for row in report.by_domain] + [
        (f"right {row.title}", row.n, row.groups, row.accuracy, row.chance)
        for row in report.by_level
    ]
    for name, n, classes, estimate, chance in rows:
        sizes = (f"{n:,}", f"{classes:,}") if roomy else ()
        share = percent(estimate.value)
        name = f"{name} (transductive)" if report.transductive else name
        table.add_row(Text(name), *sizes, share, bounds(estimate), percent(chance))
    return table


def _hardest(report: Report, roomy: bool, rows: int) -> Table:
    top5 = roomy and "top5" in report.shown_metrics
    more = (("in top 5",) if top5 else ()) + (("precision",) if roomy else ())
    table = _table("hardest classes", "images", "right", *more)
    for row in report.worst(rows):
        if row.accuracy is None or row.accuracy == 1:
            continue
        near = (percent(row.top5),) if top5 else ()
        precise = (percent(row.precision),) if roomy else ()
        table.add_row(Text(row.name), f"{row.n:,}", percent(row.accuracy), *near, *precise)
    return table


def _confused(report: Report, rows: int) -> Table:
    table = _table("most confused", "taken for", "times", "share", names=2)
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
            f"{len(absent):,} {'class has' if one else 'classes have'} no image here and"
            f" {'enters' if one else 'enter'} no mean: {listed}"
        )
    if report.severity is not None:
        yield severity_note(report.severity)
    if report.rolled_up is not None:
        yield rolled_up_note(report.rolled_up)
    yield from report.remarks
    if count := report.unlabelled:
        one = count == 1
        yield (
            f"{count:,} {'image' if one else 'images'} without a label"
            f" {'is' if one else 'are'} not counted"
        )


def percent(value: float | None, digits: int = 1) -> str:
    """A share as a percentage, with a space that does not break; "–" for no value."""
    return "–" if value is None else f"{100 * value:.{digits}f}\N{NO-BREAK SPACE}%"


def bounds(estimate: Estimate) -> str:
    """The interval of a share."""
    return f"{100 * estimate.low:.1f} – {100 * estimate.high:.1f}"


def severity_note(severity: Severity) -> str:
    """How bad mistakes are, in a sentence."""
    mean = severity.mean
    return (
        f"Mistakes climb {mean.value:.2f} steps of the taxonomy on average"
        f" ({mean.low:.2f} – {mean.high:.2f}) to reach a group that truth and answer share; wrong"
        f" classes drawn at random {severity.chance:.2f}, the most is {severity.most}"
    )


def rolled_up_note(rolled: RolledUp) -> str:
    """What answers that may be groups came to, in a sentence."""
    none = max(1 - rolled.at_class - rolled.at_group, 0.0)
    shares = (
        f"Rolled up until {percent(rolled.level, 0)} likely: {percent(rolled.at_class)} of images"
        f" are answered with a class, {percent(rolled.at_group)} with a group, {percent(none)} not"
    )
    if rolled.right is None:
        return shares
    return f"{shares}; of answers {percent(rolled.right.value)} ({bounds(rolled.right)}) are right"
