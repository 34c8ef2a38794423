"""A report on fine-tuning as one HTML page, and its curves."""

from clipfg.evaluation.tuning.report import TuningReport
from clipfg.evaluation.tuning.terminal import NAMES, NUMBERS, cells, notes
from clipfg.pages import render
from clipfg.pages.chart import Chart, Curve
from clipfg.pages.formats import percent, points
from clipfg.types import Estimate


def tuning_page(report: TuningReport) -> str:
    """The page's text."""
    first = report.table[0]
    return render(
        "tuning.html",
        kicker="clipfg finetune",
        title=" · ".join(filter(None, report.context.values())),
        headline=f"{first.measure}: {percent(first.base.value)} to {percent(first.kept.value)}",
        lead=f"{report.verdict} Change: {points(first.change)} points.",
        facts=tuple(report.context.items()),
        columns=(*NAMES, *NUMBERS),
        rows=[cells(row) for row in report.table],
        strong=len(NAMES) + 3,
        validation=validation_chart(report).to_svg(),
        blend=blend_chart(report).to_svg() if len(report.blend) > 1 else "",
        recipe=[(name, str(value)) for name, value in report.recipe.items()],
        notes=[f"{note.rstrip('.')}." for note in notes(report)],
    )


def validation_chart(report: TuningReport) -> Chart:
    """What validation gave on the way."""
    steps, values = zip(*report.checks, strict=True)
    curve = Curve(report.objective, tuple(map(float, steps)), tuple(map(_exact, values)))
    return Chart("Validation", "steps", report.objective, (curve,))


def blend_chart(report: TuningReport) -> Chart:
    """Gain against what is kept of the base, between base and tuned weights (WiSE-FT)."""
    shares = tuple(point.share for point in report.blend)
    curves = [Curve(report.objective, shares, tuple(_exact(p.objective) for p in report.blend))]
    known = [(p.share, p.zero_shot) for p in report.blend if p.zero_shot is not None]
    if known:
        at, values = zip(*known, strict=True)
        zero_shot = Curve("zero-shot accuracy", at, tuple(map(_exact, values)))
        if (zero_shot.x, zero_shot.estimates) != (shares, curves[0].estimates):
            curves.append(zero_shot)
    return Chart(
        "Between base and tuned",
        "share of the tuned weights",
        "on validation images",
        tuple(curves),
    )


def loss_png(report: TuningReport) -> bytes:
    """Losses by step, as an image; their scale is their own, so it is no `Chart` of shares."""
    import io

    import matplotlib as mpl
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), dpi=180, layout="constrained")
    axes = figure.subplots()
    names = dict.fromkeys(name for row in report.losses for name in row)
    for name in [name for name in names if name not in ("step", "lr", "scale")]:
        points = [(row["step"], row[name]) for row in report.losses]
        axes.plot(*zip(*points, strict=True), label=name, linewidth=1)
    axes.set(xlabel="step", ylabel="loss")
    if names:
        axes.legend(frameon=False)
    buffer = io.BytesIO()
    with mpl.rc_context({"font.family": "DejaVu Sans"}):
        figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _exact(value: float) -> Estimate:
    return Estimate(value, value, value)
