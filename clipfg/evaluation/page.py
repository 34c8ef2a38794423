"""Any result as one HTML page, which needs no server and loads nothing."""

from collections.abc import Sequence

from clipfg.evaluation.choices.page import choices_page
from clipfg.evaluation.choices.report import ChoiceReport
from clipfg.evaluation.curves.budget_curve import BudgetCurve
from clipfg.evaluation.curves.learning_curve import LearningCurve
from clipfg.evaluation.curves.page import budget_curve_page, learning_curve_page
from clipfg.evaluation.report.page import report_page
from clipfg.evaluation.report.report import Report
from clipfg.evaluation.tuning.page import tuning_page
from clipfg.evaluation.tuning.report import TuningReport
from clipfg.pages.gallery import Tile


def render_page(
    result: Report | ChoiceReport | LearningCurve | BudgetCurve | TuningReport,
    mistakes: Sequence[Tile] = (),
) -> str:
    """The page's text; a report shows images of `mistakes`.

    Raises `DataError` for an image that is no JPEG, PNG or WebP.
    """
    if isinstance(result, Report):
        return report_page(result, mistakes)
    if isinstance(result, ChoiceReport):
        return choices_page(result, mistakes)
    if isinstance(result, TuningReport):
        return tuning_page(result)
    if isinstance(result, LearningCurve):
        return learning_curve_page(result)
    return budget_curve_page(result)
