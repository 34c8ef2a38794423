"""Whether guarantees held, as rows: what was asked, what came out; for a terminal and a page."""

from collections.abc import Iterator

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from clipfg.evaluation.reliability.reliability import FEWEST, Reliability
from clipfg.evaluation.report.terminal import bounds, percent, rolled_up_note, severity_note
from clipfg.functional.novelty import FALSE_ALARMS
from clipfg.types import Estimate

Row = tuple[str, str, str, str]
"""What, asked, value, interval."""
COLUMNS = ("on the test images", "asked", "came out", "95 % interval")


def render(found: Reliability) -> Iterator[RenderableType]:
    """A table of what was asked and what came out, and the guarantees."""
    what = f"{found.head}, learnt from {found.learnt_from}, calibrated on {found.calibrated_on}"
    yield Text(what, style="bold")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(COLUMNS[0], header_style="dim")
    for column in COLUMNS[1:]:
        table.add_column(column, header_style="dim", justify="right", no_wrap=True)
    for row in rows(found):
        table.add_row(*map(Text, row))
    yield Padding(table, (0, 0, 1, 0))
    if found.broken:
        yield Padding(Text("\n".join(found.broken), style="yellow"), (0, 0, 1, 0))
    yield Padding(Text("\n".join(notes(found)), style="dim"), (0, 0, 1, 0))


def rows(found: Reliability) -> Iterator[Row]:
    """Every figure."""
    before, after = found.raw, found.calibrated
    yield "calibration error", "", f"{percent(before.ece)} → {percent(after.ece)}", ""
    yield "NLL", "", f"{before.nll:.3f} → {after.nll:.3f}", ""
    yield "area under risk and coverage", "", percent(found.aurc, 2), ""
    if answering := found.answering:
        yield _row("answered", "", answering.answered)
        asked = f"≤ {percent(answering.target)}"
        if answering.wrong is not None:
            yield _row("wrong among answered", asked, answering.wrong)
    if sets := found.sets:
        yield _row("true class in the set", f"≥ {percent(sets.level)}", sets.coverage)
        if lowest := sets.lowest:
            asked = f"≥ {percent(sets.level)}" if sets.each_class else ""
            yield "  lowest of a class", asked, percent(lowest[2]), ""
        yield "classes in a set", "", f"{sets.mean_size:.2f}", ""
        yield "sets of one class", "", percent(sets.single), ""
        if sets.empty:
            yield "empty sets", "", percent(sets.empty), ""
    if ood := found.ood:
        called = ood.called_unknown
        yield _row("known images called unknown", f"≤ {percent(FALSE_ALARMS)}", called)
        yield "AUROC, classes left out of the support", "", f"{ood.auroc_support:.3f}", ""
        if ood.auroc is not None:
            yield "AUROC, the same among test images", "", f"{ood.auroc:.3f}", ""
    for level in found.by_level:
        yield _row(f"right {level.title}", "", level.accuracy)


def _row(name: str, asked: str, estimate: Estimate) -> Row:
    return name, asked, percent(estimate.value), bounds(estimate)


def notes(found: Reliability) -> Iterator[str]:
    """What was guaranteed, and what takes a sentence."""
    yield from found.guarantees
    if found.severity is not None:
        yield severity_note(found.severity) + "."
    if found.rolled_up is not None:
        yield rolled_up_note(found.rolled_up) + "."
    if found.sets is not None and found.sets.lowest is not None:
        name, n, _ = found.sets.lowest
        yield f"Lowest of a class with {FEWEST} test images or more: {name} ({n} images)."
