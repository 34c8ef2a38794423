"""Any result as it looks in a terminal."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding

from clipfg.evaluation.bags.report import BagReport
from clipfg.evaluation.bags.terminal import render_bags
from clipfg.evaluation.choices.report import ChoiceReport
from clipfg.evaluation.choices.terminal import render_choices
from clipfg.evaluation.curves.budget_curve import BudgetCurve
from clipfg.evaluation.curves.grid import Grid
from clipfg.evaluation.curves.learning_curve import LearningCurve
from clipfg.evaluation.curves.terminal import render_curve, render_grid
from clipfg.evaluation.reliability.reliability import Reliability
from clipfg.evaluation.reliability.terminal import render_reliability
from clipfg.evaluation.report.report import Report
from clipfg.evaluation.report.side_by_side import SideBySide
from clipfg.evaluation.report.terminal import render_report, render_side_by_side
from clipfg.evaluation.tuning.report import TuningReport
from clipfg.evaluation.tuning.terminal import render_tuning

Result = (
    Report
    | ChoiceReport
    | SideBySide
    | LearningCurve
    | BudgetCurve
    | Grid
    | Reliability
    | TuningReport
    | BagReport
)

_RENDER: Mapping[type, Callable[[Any, int], Iterator[RenderableType]]] = {
    Report: render_report,
    ChoiceReport: render_choices,
    SideBySide: render_side_by_side,
    LearningCurve: render_curve,
    BudgetCurve: render_curve,
    Grid: render_grid,
    Reliability: render_reliability,
    TuningReport: render_tuning,
    BagReport: render_bags,
}


def render_terminal(result: Result, width: int) -> RenderableType:
    """What to print of a result in a terminal of `width` columns."""
    parts = _RENDER[type(result)](result, width)
    return Group(*(Padding(part, (0, 0, 1, 0)) for part in parts))
