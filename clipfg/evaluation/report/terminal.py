"""A report in a terminal: the metrics first, then where accuracy is lost."""

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from clipfg.evaluation.report.report import Report
from clipfg.evaluation.report.rolled_up import RolledUp
from clipfg.evaluation.report.side_by_side import SideBySide
from clipfg.evaluation.statistics.severity import Severity
from clipfg.pages.formats import bounds, count, percent, points
from clipfg.pages.terminal_table import table
from clipfg.types import Estimate

ROWS = 8
_BAR = 24  # cells of the bar that stands for 0 to 100%
_ROOMY = 76  # columns that everything fits in; a narrower terminal gets less about each class


def render_report(report: Report, width: int) -> Iterator[RenderableType]:
    """Metrics with intervals, the hardest classes and the most confused pairs."""
    roomy = width >= _ROOMY
    yield _heading(report)
    yield _metrics(report, width, roomy)
    if report.by_domain or report.by_level:
        yield _groups(report, width, roomy)
    if any(row.accuracy is not None and row.accuracy < 1 for row in report.per_class):
        yield _hardest(report, width, roomy)
    if report.confusions:
        yield _confused(report, width)
    if sentences := tuple(notes(report)):
        yield Text("\n".join(sentences), style="dim")


def render_side_by_side(compared: SideBySide, width: int) -> Iterator[RenderableType]:
    """A row for each report, and its paired difference from the first."""
    rows = []
    for name, report in compared.reports.items():
        top1, paired = report.metrics["top1"], compared.against_first.get(name)
        mark = " (transductive)" if report.transductive else ""
        rows.append(
            (
                name + mark,
                f"{percent(top1.value)} ({bounds(top1)})",
                percent(report.chance),
                points(paired.difference) if paired else "",
                f"{paired.p_value:.2g}" if paired else "",
            )
        )
    numbers = ("top-1 accuracy", "chance", "against the first", "p")
    yield table(("",), numbers, rows, width)


def _heading(report: Report) -> Text:
    what = "  ·  ".join(value for value in report.context.values() if value)
    size = (
        f"{count(report.n, 'image')}, {report.classes:,} classes; chance {percent(report.chance)},"
        f" majority class {percent(report.majority)}"
    )
    caveat = f"{report.caveat}\n" if report.caveat else ""
    return Text.assemble((what + "\n" if what else "", "bold"), (caveat, "yellow"), (size, "dim"))


def _metrics(report: Report, width: int, roomy: bool) -> RenderableType:
    rows = []
    for key in report.shown_metrics:
        metric = report.metrics[key]
        value, interval = percent(metric.value), bounds(metric)
        if key == "nll":
            value, interval = f"{metric.value:.3f}", f"{metric.low:.3f} – {metric.high:.3f}"
        bar = Text() if key in ("nll", "ece") else _bar(metric, report.chance_of(key))
        style = "bold" if key == "top1" else ""
        row = (Text(report.title_of(key), style), Text(value, style), interval)
        rows.append((*row, bar) if roomy else row)
    numbers = ("", "95% interval", *(("0 to 100%, | is chance",) if roomy else ()))
    return table(("",), numbers, rows, width)


def _bar(estimate: Estimate, chance: float | None) -> Text:
    """0 to 100%: filled to the lower bound, dashed over the interval, `|` at chance."""
    bar = Text()
    low, high = round(estimate.low * _BAR), max(1, round(estimate.high * _BAR))
    mark = None if chance is None else min(_BAR - 1, int(chance * _BAR))
    for cell in range(_BAR):
        if cell == mark:
            bar.append("|", "yellow")
        elif cell < low:
            bar.append("━", "cyan")
        elif cell < max(high, low + 1):
            bar.append("╌", "cyan")
        else:
            bar.append("─", "bright_black")
    return bar


def _groups(report: Report, width: int, roomy: bool) -> RenderableType:
    groups = [(row.name, row.n, row.classes, row.top1, report.chance) for row in report.by_domain]
    groups += [
        (f"{row.title} accuracy", row.n, row.groups, row.accuracy, row.chance)
        for row in report.by_level
    ]
    mark = " (transductive)" if report.transductive else ""
    rows = []
    for name, n, classes, accuracy, chance in groups:
        sizes = (f"{n:,}", f"{classes:,}") if roomy else ()
        numbers = (percent(accuracy.value), bounds(accuracy), percent(chance))
        rows.append((name + mark, *sizes, *numbers))
    sizes = ("images", "classes") if roomy else ()
    return table(("by group",), (*sizes, "accuracy", "95% interval", "chance"), rows, width)


def _hardest(report: Report, width: int, roomy: bool) -> RenderableType:
    top5 = roomy and "top5" in report.shown_metrics
    rows = []
    for row in report.ranked[:ROWS]:
        if row.accuracy is not None and row.accuracy < 1:
            near = (percent(row.top5),) if top5 else ()
            precise = (percent(row.precision),) if roomy else ()
            rows.append((row.name, f"{row.n:,}", percent(row.accuracy), *near, *precise))
    more = (*(("in top 5",) if top5 else ()), *(("precision",) if roomy else ()))
    return table(("hardest classes",), ("images", "accuracy", *more), rows, width)


def _confused(report: Report, width: int) -> RenderableType:
    rows = [
        (pair.true, pair.predicted, f"{pair.count:,}", percent(pair.share, 0))
        for pair in report.confusions[:ROWS]
    ]
    return table(("most confused", "predicted as"), ("images", "share"), rows, width)


def notes(report: Report, names: int = 3) -> Iterator[str]:
    """What the numbers mean and do not cover, in sentences; at most `names` absent classes."""
    if absent := report.absent:
        listed = ", ".join(absent[:names]) + (", ..." if len(absent) > names else "")
        noun, verb = ("class", "is") if len(absent) == 1 else ("classes", "are")
        yield f"{len(absent):,} {noun} without images here {verb} excluded from means: {listed}"
    if report.severity is not None:
        yield severity_note(report.severity)
    if report.rolled_up is not None:
        yield rolled_up_note(report.rolled_up)
    yield from report.remarks
    if report.unlabelled:
        verb = "is" if report.unlabelled == 1 else "are"
        yield f"{count(report.unlabelled, 'image')} without a label {verb} not counted"


def severity_note(severity: Severity) -> str:
    """How severe mistakes are, in a sentence."""
    mean = severity.mean
    return (
        f"Severity of mistakes: the true and the predicted class meet {mean.value:.2f} levels up"
        f" the taxonomy on average ({mean.low:.2f} – {mean.high:.2f}); random wrong classes"
        f" {severity.chance:.2f}, at most {severity.most}"
    )


def rolled_up_note(rolled: RolledUp) -> str:
    """How the answers that may be groups came out, in a sentence."""
    none = max(1 - rolled.at_class - rolled.at_group, 0.0)
    shares = (
        f"Rolled up to a probability of {percent(rolled.level, 0)}: {percent(rolled.at_class)} of"
        f" images are answered with a class, {percent(rolled.at_group)} with a group,"
        f" {percent(none)} not at all"
    )
    if rolled.right is None:
        return shares
    return (
        f"{shares}; {percent(rolled.right.value)} ({bounds(rolled.right)}) of answers are correct"
    )
