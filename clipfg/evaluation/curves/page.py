"""Curves as HTML pages."""

from typing import Any

from clipfg.evaluation.curves.budget_curve import BudgetCell, BudgetCurve
from clipfg.evaluation.curves.learning_curve import LearningCurve, LearningCurveCell
from clipfg.evaluation.reliability.page import reliability_context
from clipfg.evaluation.statistics.repeated import Difference
from clipfg.pages import render
from clipfg.pages.formats import bounds, count, percent, points


def learning_curve_page(curve: LearningCurve) -> str:
    """The chart, a table of every number, and what they mean."""
    best = max(
        (cell for cell in curve.cells if cell.head == curve.first), key=lambda cell: cell.per_class
    )
    columns = ("head", "shots", "accuracy", "95% interval", "range of draws", "mean per class")
    chosen = "Each setting of a head was chosen on the images that it learns from."
    return _render(
        curve,
        kicker="clipfg fewshot",
        title=" · ".join(filter(None, curve.context.values())) or "learning curve",
        headline=f"{percent(best.top1.value)} top-1 accuracy with {best.label}, {_shots(best)}",
        lead=f"{_lead(curve)} {chosen}",
        chart_title="Accuracy by shots",
        columns=(*columns, f"points against {curve.first}", "p", "seconds to fit"),
        rows=[_learning_row(cell) for cell in curve.cells],
        strong=2,
        reliability=reliability_context(curve.reliability) if curve.reliability else None,
    )


def budget_curve_page(curve: BudgetCurve) -> str:
    """The chart, a table of every number, and what they mean."""
    budgeted = [cell for cell in curve.cells if cell.per_class is not None]
    best = max(budgeted, key=lambda cell: cell.top1.value)
    strategies = len({cell.strategy for cell in budgeted})
    columns = ("strategy", "keys per class", "keys", "accuracy", "95% interval")
    return _render(
        curve,
        kicker="clipfg coreset",
        title=f"{curve.context.get('data', '')} coresets".strip(),
        headline=(
            f"{percent(best.top1.value)} with {best.strategy}, {count(best.per_class or 0, 'key')}"
            f" per class: the best of {strategies} strategies"
        ),
        lead=f"{_lead(curve)} No test image influenced any key.",
        chart_title="Accuracy by keys per class",
        columns=(*columns, f"points against {curve.first}", "p", "seconds"),
        rows=[_budget_row(cell) for cell in curve.cells],
        strong=3,
        reliability=None,
    )


def _render(curve: LearningCurve | BudgetCurve, **more: Any) -> str:
    facts, chart = tuple(curve.context.items()), curve.grid.chart()
    return render("curve.html", facts=facts, chart=chart, notes=curve.notes, **more)


def _lead(curve: LearningCurve | BudgetCurve) -> str:
    chance = percent(1 / curve.classes)
    return f"{curve.n:,} test images of {curve.classes:,} classes; chance is {chance}."


def _shots(cell: LearningCurveCell) -> str:
    if not cell.shots:
        return "no images"
    return f"{cell.shots} {'shot' if cell.shots == '1' else 'shots'}"


def _learning_row(cell: LearningCurveCell) -> tuple[str, ...]:
    return (
        cell.label,
        _shots(cell),
        percent(cell.top1.value),
        bounds(cell.top1),
        f"{100 * min(cell.by_seed):.1f} – {100 * max(cell.by_seed):.1f}",
        percent(cell.mean_per_class),
        *_difference(cell.against),
        f"{cell.seconds:.2f}",
    )


def _budget_row(cell: BudgetCell) -> tuple[str, ...]:
    return (
        cell.strategy,
        "all" if cell.per_class is None else str(cell.per_class),
        f"{cell.keys:,.0f}",
        percent(cell.top1.value),
        bounds(cell.top1),
        *_difference(cell.against),
        f"{cell.seconds:.2f}",
    )


def _difference(against: Difference | None) -> tuple[str, str]:
    return (points(against.estimate), f"{against.p_value:.2g}") if against else ("", "")
