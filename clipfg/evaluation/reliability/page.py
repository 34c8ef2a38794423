"""Whether guarantees hold, as what the template `reliability.html` shows."""

from typing import Any

from clipfg.evaluation.reliability.reliability import Reliability
from clipfg.evaluation.reliability.terminal import COLUMNS, notes, rows
from clipfg.evaluation.statistics.intervals import wilson_interval
from clipfg.pages.chart import Chart, Curve
from clipfg.pages.formats import percent
from clipfg.types import Estimate


def reliability_context(found: Reliability) -> dict[str, Any]:
    """The figures, the risk-coverage curve, and the coverage of every class, lowest first."""
    classes = found.sets.by_class if found.sets else ()
    ordered = sorted(classes, key=lambda row: (row[2], -row[1], row[0]))
    return {
        "subject": found.subject,
        "unmet": found.unmet,
        "columns": COLUMNS,
        "rows": list(rows(found)),
        "notes": list(notes(found)),
        "chart": _risk_chart(found),
        "by_class": [(name, f"{n:,}", percent(share)) for name, n, share in ordered],
    }


def _risk_chart(found: Reliability) -> Chart:
    """Error among the answered images against how many are answered."""
    estimates = []
    for share, risk in found.risk:
        answered = max(round(share * found.n), 1)
        estimates.append(Estimate(risk, *wilson_interval(round(risk * answered), answered)))
    x = tuple(100 * share for share, _ in found.risk)
    curves = [Curve(found.head, x, tuple(estimates))]
    if found.answering is not None:
        target = found.answering.target
        level = (Estimate(target, target, target),)
        curves.append(Curve(f"target: {target:.0%}", (), level, level=True))
    title = "Error among answered images, most confident answered first"
    return Chart(title, "images answered (%)", "error among them", tuple(curves))
