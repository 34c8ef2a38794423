import json

import pytest

from clipfg.errors import DataError
from clipfg.evaluation.curves.budget_curve import BudgetCell, BudgetCurve
from clipfg.evaluation.statistics.repeated import Difference
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
    return BudgetCurve(80, 9, "class-mean", cells, {"data": "birds"}, ("One was left out",))


def test_json_brings_it_back(curve) -> None:
    assert BudgetCurve.from_json(json.loads(json.dumps(curve.to_json()))) == curve


@pytest.mark.parametrize("change", [{"kind": "curve"}, {"schema": 9}, {"cells": [{"against": 0}]}])
def test_anything_else_is_refused(curve, change) -> None:
    with pytest.raises(DataError, match="Expected a"):
        BudgetCurve.from_json(curve.to_json() | change)


def test_strategies_go_down_and_budgets_across(curve) -> None:
    assert curve.shown() == [
        {"strategy": "class-mean", "1": "50.0 ±10.0 ", "5": "50.0 ±10.0 ", "all": ""},
        {"strategy": "<k-means>", "1": "", "5": "60.0 ±10.0*", "all": ""},
        {"strategy": "full support", "1": "", "5": "", "all": "40.0 ±10.0 "},
    ]


def test_the_full_support_is_a_level_line(curve) -> None:
    *others, level = curve.chart().curves
    assert [other.x for other in others] == [(1.0, 5.0), (5.0,)]
    assert level.level
    assert level.name == "full support (144 keys)"


def test_the_page_escapes_names_and_says_the_best(curve) -> None:
    page = curve.to_html()
    assert "with &lt;k-means&gt;, 5 keys a class: the best of 2 strategies" in page
    assert "<k-means>" not in page
    assert "One was left out" in page
