"""A report on bags as one HTML page."""

from collections.abc import Sequence

from clipfg.evaluation.bags.report import BagReport
from clipfg.evaluation.bags.terminal import NAMES, cells, columns
from clipfg.pages import render
from clipfg.pages.formats import percent
from clipfg.pages.gallery import TileGroup


def bags_page(report: BagReport, galleries: Sequence[TileGroup] = ()) -> str:
    """The table of every number, and galleries of bags."""
    first = report.cells[0]
    return render(
        "bags.html",
        kicker="clipfg bags",
        title=" · ".join(filter(None, report.context.values())) or "bags",
        headline=f"{percent(first.top1.value)} of bags right with {first.head}",
        lead=report.lead,
        facts=tuple(report.context.items()),
        columns=(*NAMES, *columns(report)),
        rows=[cells(cell, report) for cell in report.cells],
        strong=1,
        groups=galleries,
        notes=report.notes,
    )
