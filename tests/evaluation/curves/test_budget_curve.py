import io

import pytest
from rich.console import Console

from clipfg.evaluation.curves.budget_curve import BudgetCell, BudgetCurve
from clipfg.evaluation.page import render_page
from clipfg.evaluation.statistics.repeated import Difference
from clipfg.evaluation.terminal import render_terminal
from clipfg.types import Estimate


@pytest.fixture
def curve() -> BudgetCurve:
    gain = Difference(Estimate(0.1, 0.05, 0.15), 0.001)
    cells = (
        BudgetCell("class-mean", 1, 9, Estimate(0.5, 0.4, 0.6), (0.5,), 0.1),
        BudgetCell("class-mean", 5, 45, Estimate(0.5, 0.4, 0.6), (0.5,), 0.1),
        BudgetCell("<k-means>", 5, 45, Estimate(0.6, 0.5, 0.7), (0.55, 0.65), 0.2, gain),
        BudgetCell("full support", None, 144, Estimate(0.4, 0.3, 0.5), (0.4,), 0.0),
    )
    return BudgetCurve(80, 9, "class-mean", cells, {"data": "birds"}, ("One was excluded",))


def test_rows_are_shares_with_the_difference_from_the_first(curve) -> None:
    first, _, gained, full = curve.rows()
    assert list(first) == [
        "strategy", "per_class", "keys", "top1", "low", "high", "draws",
        "difference", "difference_low", "difference_high", "p_value", "seconds",
    ]  # fmt: skip
    assert first["difference"] is first["p_value"] is None
    assert (gained["top1"], gained["low"], gained["high"], gained["draws"]) == (0.6, 0.5, 0.7, 2)
    assert (gained["difference"], gained["p_value"]) == (0.1, 0.001)
    assert full["per_class"] is None


def test_a_terminal_has_strategies_down_and_budgets_across(curve) -> None:
    console = Console(width=80, file=io.StringIO())
    console.print(render_terminal(curve, 80))
    text = console.file.getvalue()
    lines = [line.split() for line in text.splitlines()]
    assert ["accuracy", "of", "the", "nearest", "key,", "%", "1", "5", "all"] in lines
    assert ["class-mean", "50.0", "±10.0", "50.0", "±10.0"] in lines
    assert ["full", "support", "(144", "keys)", "40.0", "±10.0"] in lines
    assert ["points", "against", "class-mean", "(*", "p", "<", "0.05)", "5"] in lines
    assert ["<k-means>", "+10.0", "±5.0*"] in lines
    assert "One was excluded" in text


def test_the_full_support_is_a_level_line(curve) -> None:
    *others, level = curve.grid.chart().curves
    assert [other.x for other in others] == [(1.0, 5.0), (5.0,)]
    assert level.level
    assert level.name == "full support (144 keys)"


def test_the_page_escapes_names_and_says_the_best(curve) -> None:
    page = render_page(curve)
    assert "60.0% with &lt;k-means&gt;, 5 keys per class: the best of 2 strategies" in page
    assert "<k-means>" not in page
    assert "+10.0 (+5.0 to +15.0)" in page
    assert "One was excluded" in page
