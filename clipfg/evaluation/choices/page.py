"""A report on choices as one HTML page."""

from collections.abc import Sequence

from clipfg.evaluation.choices.report import ChoiceReport
from clipfg.evaluation.choices.terminal import cells, headings, notes
from clipfg.pages import render
from clipfg.pages.formats import bounds, count, percent
from clipfg.pages.gallery import Tile


def choices_page(report: ChoiceReport, mistakes: Sequence[Tile] = ()) -> str:
    """The page's text. Raises as `image_source` does."""
    first = report.overall[0]
    names, numbers = headings(report.has_pairs)
    return render(
        "choices.html",
        kicker="clipfg zeroshot",
        title=" · ".join(filter(None, report.context.values())) or "choices",
        headline=f"{percent(first.accuracy.value)} {first.measure} accuracy",
        lead=(
            f"95% interval {bounds(first.accuracy)}%, on {count(report.n, 'item')}; chance is"
            f" {percent(first.chance)}."
        ),
        facts=tuple(report.context.items()),
        columns=(*names, *numbers),
        rows=[cells(row, report.has_pairs) for row in report.table],
        strong=len(names) + 1,
        tiles=mistakes,
        notes=[f"{note}." for note in notes(report)],
    )
