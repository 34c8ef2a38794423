"""A report as one HTML page."""

from collections.abc import Sequence

from clipfg.evaluation.report.report import Report
from clipfg.evaluation.report.terminal import notes
from clipfg.evaluation.statistics.intervals import RESAMPLES
from clipfg.functional.metrics import CALIBRATION_BINS
from clipfg.pages import render
from clipfg.pages.gallery import Tile

CONFUSIONS_SHOWN = 20

ABOUT_METRICS = (
    f"Intervals: percentiles of {RESAMPLES:,} bootstrap draws of the images, each shifted by its"
    " mean difference from the number reported; of levels of a taxonomy, Wilson's.",
    f"NLL (in nats) and calibration error ({CALIBRATION_BINS} equal bins) are of the softmax over"
    " the classes.",
)


def report_page(report: Report, mistakes: Sequence[Tile] = ()) -> str:
    """The page's text. Raises as `image_source` does."""
    ranked = report.ranked
    return render(
        "report.html",
        title=" · ".join(value for value in report.context.values() if value) or "clipfg report",
        kicker="clipfg report",
        report=report,
        facts=tuple(report.context.items()),
        tiles=mistakes,
        confusions=report.confusions[:CONFUSIONS_SHOWN],
        ranked=ranked,
        bars=_bars([row.accuracy for row in ranked if row.accuracy is not None]),
        notes=(*ABOUT_METRICS, *(f"{note.rstrip('.')}." for note in notes(report, names=10))),
    )


def _bars(shares: Sequence[float]) -> list[tuple[float, float, float]]:
    """Left edges, widths and heights of bars side by side on an area of 1,000 x 160."""
    width = 1000 / len(shares)
    # Many bars blend into one shape; few stand apart.
    gap = min(2.0, width * 0.15) if width > 3 else 0.0
    return [(i * width, width - gap, max(160 * share, 1.5)) for i, share in enumerate(shares)]
