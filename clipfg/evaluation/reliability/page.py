"""Whether guarantees held, as sections of an HTML page."""

from collections.abc import Iterator
from html import escape

from clipfg.evaluation.reliability.reliability import PredictionSetResult, Reliability
from clipfg.evaluation.reliability.terminal import COLUMNS, notes, rows
from clipfg.evaluation.report.terminal import percent
from clipfg.pages import html


def sections(found: Reliability) -> Iterator[str]:
    """The figures, the risk-coverage curve, and the coverage of every class."""
    what = f"{found.head}, learnt from {found.learnt_from}, calibrated on {found.calibrated_on}."
    cells = [
        f'<th scope="row">{escape(name)}</th><td class="n">{asked}</td>'
        f'<td class="n strong">{value}</td><td class="n">{interval}</td>'
        for name, asked, value, interval in rows(found)
    ]
    alarm = "".join(f'<p class="lead"><strong>{escape(x)}</strong></p>' for x in found.broken)
    said = "".join(f"<p>{escape(note)}</p>" for note in notes(found))
    table = html.table(COLUMNS, cells)
    yield html.section("How far to trust it", f"<p>{escape(what)}</p>{alarm}{table}{said}")
    yield html.section("Risk and coverage", found.chart().to_svg())
    if found.sets is not None:
        yield html.section("PredictionSetResult, class by class", _by_class(found.sets))


def _by_class(sets: PredictionSetResult) -> str:
    ordered = sorted(sets.by_class, key=lambda row: (row[2], -row[1], row[0]))
    cells = [
        f'<th scope="row">{escape(name)}</th><td class="n">{n:,}</td>'
        f'<td class="n strong">{percent(share)}</td>'
        for name, n, share in ordered
    ]
    table = html.table(("class", "images", "true class in the set"), cells)
    return f"<details><summary>{len(ordered):,} classes, lowest first</summary>{table}</details>"
