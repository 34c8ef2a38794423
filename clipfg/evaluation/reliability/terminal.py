"""Whether guarantees hold, as rows of target and measurement, for a terminal and a page."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from clipfg.evaluation.reliability.reliability import FEWEST, Reliability
from clipfg.evaluation.report.terminal import rolled_up_note, severity_note
from clipfg.functional.novelty import FALSE_ALARMS
from clipfg.pages.formats import bounds, count, percent
from clipfg.pages.terminal_table import table
from clipfg.types import Estimate

Row = tuple[str, str, str, str]
"""What, its target, the value measured, its interval."""
COLUMNS = ("on the test set", "target", "measured", "95% interval")


def render_reliability(found: Reliability, width: int) -> Iterator[RenderableType]:
    """Every target with what was measured, and the guarantees."""
    figures = table(COLUMNS[:1], COLUMNS[1:], list(rows(found)), width)
    yield Group(Text(found.subject, style="bold"), figures)
    if found.unmet:
        yield Text("\n".join(found.unmet), style="yellow")
    yield Text("\n".join(notes(found)), style="dim")


def rows(found: Reliability) -> Iterator[Row]:
    """Every figure."""
    before, after = found.raw, found.calibrated
    yield "calibration error (ECE)", "", f"{percent(before.ece)} → {percent(after.ece)}", ""
    yield "NLL", "", f"{before.nll:.3f} → {after.nll:.3f}", ""
    yield "area under the risk-coverage curve", "", percent(found.aurc, 2), ""
    if answering := found.answering:
        yield _row("images answered", "", answering.answered)
        if answering.wrong is not None:
            yield _row("error among answers", f"≤ {percent(answering.target)}", answering.wrong)
    if sets := found.sets:
        target = f"≥ {percent(sets.level)}"
        yield _row("prediction set coverage", target, sets.coverage)
        if lowest := sets.lowest:
            yield "  lowest of any class", target if sets.each_class else "", percent(lowest[2]), ""
        yield "mean set size", "", f"{sets.mean_size:.2f}", ""
        yield "sets of one class", "", percent(sets.single), ""
        if sets.empty:
            yield "empty sets", "", percent(sets.empty), ""
    if ood := found.ood:
        flagged = "known classes flagged as out-of-distribution"
        yield _row(flagged, f"≤ {percent(FALSE_ALARMS)}", ood.called_unknown)
        if ood.auroc_support is not None:
            yield "AUROC, classes left out of the support", "", f"{ood.auroc_support:.3f}", ""
        if ood.auroc is not None:
            yield "AUROC, the same classes in the test set", "", f"{ood.auroc:.3f}", ""
    for level in found.by_level:
        yield _row(f"{level.title} accuracy", "", level.accuracy)


def _row(name: str, target: str, estimate: Estimate) -> Row:
    return name, target, percent(estimate.value), bounds(estimate)


def notes(found: Reliability) -> Iterator[str]:
    """What was guaranteed, and figures that take a sentence."""
    yield from found.guarantees
    if found.severity is not None:
        yield severity_note(found.severity) + "."
    if found.rolled_up is not None:
        yield rolled_up_note(found.rolled_up) + "."
    if found.sets is not None and found.sets.lowest is not None:
        name, n, _ = found.sets.lowest
        yield (
            f"Lowest coverage of a class with {FEWEST} test images or more: {name}"
            f" ({count(n, 'image')})."
        )
