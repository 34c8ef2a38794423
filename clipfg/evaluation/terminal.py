"""Any result as it looks in a terminal."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, TypeAlias

from rich.console import Group, RenderableType
from rich.padding import Padding

if TYPE_CHECKING:
    from clipfg.evaluation.curves.grid import Grid
    from clipfg.evaluation.reliability.reliability import Reliability
    from clipfg.evaluation.results import AnyResult

Result: TypeAlias = "AnyResult | Grid | Reliability"

RENDERERS = {
    "Report": "report.terminal:render_report",
    "SideBySide": "report.terminal:render_side_by_side",
    "ChoiceReport": "choices.terminal:render_choices",
    "LearningCurve": "curves.terminal:render_curve",
    "BudgetCurve": "curves.terminal:render_curve",
    "Grid": "curves.terminal:render_grid",
    "Reliability": "reliability.terminal:render_reliability",
    "TuningReport": "tuning.terminal:render_tuning",
    "BagReport": "bags.terminal:render_bags",
}
"""What makes the parts of each kind of result; imported when one is shown."""


def render_terminal(result: Result, width: int) -> RenderableType:
    """What to print of a result in a terminal of `width` columns."""
    module, _, name = RENDERERS[type(result).__name__].partition(":")
    render = getattr(import_module(f"clipfg.evaluation.{module}"), name)
    return Group(*(Padding(part, (0, 0, 1, 0)) for part in render(result, width)))
