"""A report as one HTML page: no script, no server, nothing loaded from anywhere.

All text goes through `escape`, and a content security policy forbids the rest, so that a class
called `<script>` is a class called `<script>`.
"""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files

from clipfg.errors import DataError
from clipfg.evaluation.intervals import ECE_BINS, RESAMPLES, Estimate
from clipfg.evaluation.report import ClassRow, Report
from clipfg.evaluation.terminal import bounds, level_name, notes, percent

_MAGIC = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n": "image/png", b"RIFF": "image/webp"}
CONFUSIONS_SHOWN = 20


@dataclass(frozen=True)
class Picture:
    """A thumbnail for the page: the bytes of a JPEG, PNG or WebP, and what was said of it.

    `label` is None where the class is not known; `probability` lies between 0 and 1.
    """

    data: bytes
    prediction: str
    probability: float
    label: str | None = None


def render_page(report: Report, pictures: Sequence[Picture] = ()) -> str:
    """The page's text. Raises `DataError` for a picture in another format."""
    title = " · ".join(value for value in report.context.values() if value) or "clipfg report"
    sections = [
        _header(report),
        _headline(report),
        _groups(report),
        _pictures(pictures),
        _confusions(report),
        _classes(report),
        _footer(report),
    ]
    style = files("clipfg.evaluation").joinpath("page.css").read_text(encoding="utf-8")
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{escape(title)}</title>
<style>
{style}</style>
</head>
<body>
<main>
{"".join(sections)}</main>
</body>
</html>
"""


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
<p class="lead">95 % interval {bounds(top1)} %, on {report.n:,} pictures of
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
    return _section("The numbers", _table(("", "", "95 % interval", "0 to 100 %"), rows))


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
        _group(f"right {level_name(row.level)}{mark}", row.n, row.groups, row.accuracy, row.chance)
        for row in report.by_level
    ]
    if not rows:
        return ""
    columns = ("", "pictures", "classes", "right", "95 % interval", "chance marked")
    return _section("By domain and by group", _table(columns, rows))


def _group(name: str, n: int, classes: int, estimate: Estimate, chance: float) -> str:
    return (
        f'<th scope="row">{escape(name)}</th><td class="n">{n:,}</td><td class="n">{classes:,}</td>'
        f'<td class="n strong">{percent(estimate.value)}</td><td class="n">{bounds(estimate)}</td>'
        f'<td class="plot">{_interval_plot(estimate, chance)}</td>'
    )


def _pictures(pictures: Sequence[Picture]) -> str:
    if not pictures:
        return ""
    return _section("Pictures", f'<div class="grid">{"".join(map(_figure, pictures))}</div>')


def _figure(picture: Picture) -> str:
    kind = next((mime for magic, mime in _MAGIC.items() if picture.data.startswith(magic)), None)
    if kind is None:
        raise DataError("Expected a thumbnail as JPEG, PNG or WebP, got another format.")
    source = f"data:{kind};base64,{b64encode(picture.data).decode()}"
    verdict = "unknown" if picture.label is None else "wrong"
    if picture.label == picture.prediction:
        verdict = "right"
    truth = f"<span>is {escape(picture.label or '')}</span>" if verdict == "wrong" else ""
    return (
        f'<figure class="{verdict}"><img src="{source}" alt="{escape(picture.label or "")}">'
        f"<figcaption><b>{escape(picture.prediction)}</b> {percent(picture.probability, 0)}"
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
    columns = ["most confused", "taken for", "times", "share of its pictures", "both belong to"]
    return _section("What is mistaken for what", _table(columns, rows))


def _classes(report: Report) -> str:
    ranked = sorted(
        report.per_class,
        key=lambda row: (row.accuracy is None, row.accuracy or 0.0, -row.n, row.name),
    )
    columns = ("class", "pictures", "right", "in top 5", "precision", "F1", "")
    table = _table(columns, map(_class_row, ranked))
    return _section(
        "Every class, the hardest first",
        f"{_profile(ranked)}<details><summary>{len(ranked):,} classes</summary>{table}</details>",
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
        f"Intervals: percentiles of {RESAMPLES:,} bootstrap draws of the pictures, each shifted by"
        " its mean difference from the number reported.",
        f"NLL (in nats) and calibration error ({ECE_BINS} equal bins) are of the softmax over"
        " the classes.",
        *(f"{note.rstrip('.')}." for note in notes(report, names=10)),
    ]
    return f"<footer>{''.join(f'<p>{escape(note)}</p>' for note in remarks)}</footer>\n"


def _section(title: str, body: str) -> str:
    return f"<section>\n<h2>{escape(title)}</h2>\n{body}\n</section>\n"


def _table(columns: Sequence[str], rows: Iterable[str]) -> str:
    """Rows of ready cells under escaped headings."""
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    body = "\n".join(f"<tr>{row}</tr>" for row in rows)
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>\n{body}\n</tbody></table></div>"
    )
