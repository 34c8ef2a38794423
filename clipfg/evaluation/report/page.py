"""A report as one HTML page."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from clipfg.evaluation.report.report import ClassRow, Report
from clipfg.evaluation.report.terminal import bounds, notes, percent
from clipfg.evaluation.statistics.intervals import ECE_BINS, RESAMPLES
from clipfg.pages import html
from clipfg.pages.html import image_source, section, table
from clipfg.types import Estimate

CONFUSIONS_SHOWN = 20


@dataclass(frozen=True)
class PredictedImage:
    """A thumbnail for the page: the bytes of a JPEG, PNG or WebP, and what was said of it.

    `label` is None where the class is not known; `probability` lies between 0 and 1.
    """

    data: bytes
    prediction: str
    probability: float
    label: str | None = None


def render_page(report: Report, images: Sequence[PredictedImage] = ()) -> str:
    """The page's text. Raises `DataError` for an image in another format."""
    title = " · ".join(value for value in report.context.values() if value) or "clipfg report"
    sections = [
        _header(report),
        _headline(report),
        _groups(report),
        _images(images),
        _confusions(report),
        _classes(report),
        _footer(report),
    ]
    return html.page(title, sections)


def _header(report: Report) -> str:
    facts = "".join(
        f"<div><dt>{escape(key)}</dt><dd>{escape(value)}</dd></div>"
        for key, value in report.context.items()
        if value
    )
    top1 = report.metrics["top1"]
    caveat = (
        f'<p class="lead"><strong>{escape(report.caveat)}</strong></p>' if report.caveat else ""
    )
    mark = " (transductive)" if report.transductive else ""
    return f"""<header>
<p class="kicker">clipfg report</p>
{caveat}<h1>{percent(top1.value)} <small>right at the first guess{mark}</small></h1>
<p class="lead">95 % interval {bounds(top1)} %, on {report.n:,} images of
{report.classes - len(report.absent):,} classes, told apart among {report.classes:,}.
Guessing scores {percent(report.chance)}; always naming the commonest class
{percent(report.majority)}.</p>
<dl>{facts}</dl>
</header>
"""


def _headline(report: Report) -> str:
    rows = []
    for key in report.shown_metrics:
        estimate = report.metrics[key]
        if key == "nll":
            value, interval, plot = (
                f"{estimate.value:.3f}",
                f"{estimate.low:.3f} – {estimate.high:.3f}",
                "",
            )
        else:
            value, interval = percent(estimate.value), bounds(estimate)
            plot = _interval_plot(estimate, report.chance_of(key))
        rows.append(
            f'<th scope="row">{report.title_of(key)}</th><td class="n strong">{value}</td>'
            f'<td class="n">{interval}</td><td class="plot">{plot}</td>'
        )
    return section("The numbers", table(("", "", "95 % interval", "0 to 100 %"), rows))


def _interval_plot(estimate: Estimate, chance: float | None) -> str:
    low, high = 100 * estimate.low, 100 * estimate.high
    mark = "" if chance is None else f'<i class="chance" style="left:{100 * chance:.2f}%"></i>'
    return (
        f'<div class="track">'
        f'<i class="bar" style="width:{100 * estimate.value:.2f}%"></i>'
        f'<i class="interval" style="left:{low:.2f}%;width:{max(high - low, 0.3):.2f}%"></i>'
        f"{mark}</div>"
    )


def _groups(report: Report) -> str:
    mark = " (transductive)" if report.transductive else ""
    rows = [
        _group(row.name + mark, row.n, row.classes, row.top1, report.chance)
        for row in report.by_domain
    ] + [
        _group(f"right {row.title}{mark}", row.n, row.groups, row.accuracy, row.chance)
        for row in report.by_level
    ]
    if not rows:
        return ""
    columns = ("", "images", "classes", "right", "95 % interval", "chance marked")
    return section("By domain and by group", table(columns, rows))


def _group(name: str, n: int, classes: int, estimate: Estimate, chance: float) -> str:
    return (
        f'<th scope="row">{escape(name)}</th><td class="n">{n:,}</td><td class="n">{classes:,}</td>'
        f'<td class="n strong">{percent(estimate.value)}</td><td class="n">{bounds(estimate)}</td>'
        f'<td class="plot">{_interval_plot(estimate, chance)}</td>'
    )


def _images(images: Sequence[PredictedImage]) -> str:
    if not images:
        return ""
    return section(
        "Mistakes, the surest first", f'<div class="grid">{"".join(map(_figure, images))}</div>'
    )


def _figure(image: PredictedImage) -> str:
    source = image_source(image.data)
    verdict = "unknown" if image.label is None else "wrong"
    if image.label == image.prediction:
        verdict = "right"
    truth = f"<span>is {escape(image.label or '')}</span>" if verdict == "wrong" else ""
    return (
        f'<figure class="{verdict}"><img src="{source}" alt="{escape(image.label or "")}">'
        f"<figcaption><b>{escape(image.prediction)}</b> {percent(image.probability, 0)}"
        f"{truth}</figcaption></figure>"
    )


def _confusions(report: Report) -> str:
    if not report.confusions:
        return ""
    rows = [
        f'<th scope="row">{escape(pair.true)}</th><td>{escape(pair.predicted)}</td>'
        f'<td class="n strong">{pair.count:,}</td><td class="n">{percent(pair.share, 0)}</td>'
        f"<td>{escape(pair.ancestor or '')}</td>"
        for pair in report.confusions[:CONFUSIONS_SHOWN]
    ]
    columns = ["most confused", "taken for", "times", "share of its images", "both belong to"]
    return section("What is mistaken for what", table(columns, rows))


def _classes(report: Report) -> str:
    ranked = sorted(
        report.per_class,
        key=lambda row: (row.accuracy is None, row.accuracy or 0.0, -row.n, row.name),
    )
    columns = ("class", "images", "right", "in top 5", "precision", "F1", "")
    listed = table(columns, map(_class_row, ranked))
    return section(
        "Every class, the hardest first",
        f"{_profile(ranked)}<details><summary>{len(ranked):,} classes</summary>{listed}</details>",
    )


def _class_row(row: ClassRow) -> str:
    bar = ""
    if row.accuracy is not None:
        bar = (
            f'<div class="track"><i class="bar" style="width:{100 * row.accuracy:.1f}%"></i></div>'
        )
    return (
        f'<th scope="row">{escape(row.name)}</th><td class="n">{row.n:,}</td>'
        f'<td class="n strong">{percent(row.accuracy)}</td><td class="n">{percent(row.top5)}</td>'
        f'<td class="n">{percent(row.precision)}</td><td class="n">{percent(row.f1)}</td>'
        f'<td class="plot">{bar}</td>'
    )


def _profile(ranked: Sequence[ClassRow]) -> str:
    """The classes' accuracies side by side, lowest first: an area 1,000 x 160."""
    values = [row.accuracy for row in ranked if row.accuracy is not None]
    width = 1000 / len(values)
    # many classes blend into one shape; few stand apart
    gap = min(2.0, width * 0.15) if width > 3 else 0.0
    bars = "".join(
        f'<rect x="{i * width:.2f}" y="{160 - max(160 * value, 1.5):.2f}"'
        f' width="{width - gap:.2f}" height="{max(160 * value, 1.5):.2f}"/>'
        for i, value in enumerate(values)
    )
    return (
        '<svg class="profile" viewBox="0 0 1000 160" preserveAspectRatio="none" role="img"'
        f' aria-label="Accuracy of each class, lowest first">{bars}</svg>'
        '<p class="axis"><span>hardest</span><span>height: share right, 0 to 100 %</span>'
        "<span>easiest</span></p>"
    )


def _footer(report: Report) -> str:
    remarks = [
        f"Intervals: percentiles of {RESAMPLES:,} bootstrap draws of the images, each shifted by"
        " its mean difference from the number reported.",
        f"NLL (in nats) and calibration error ({ECE_BINS} equal bins) are of the softmax over"
        " the classes.",
        *(f"{note.rstrip('.')}." for note in notes(report, names=10)),
    ]
    return html.footer(remarks)
