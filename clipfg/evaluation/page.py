"""Any result as one HTML page, which needs no server and loads nothing."""

from collections.abc import Sequence

from clipfg.evaluation.bags.page import bags_page
from clipfg.evaluation.bags.report import BagReport
from clipfg.evaluation.choices.page import choices_page
from clipfg.evaluation.choices.report import ChoiceReport
from clipfg.evaluation.curves.budget_curve import BudgetCurve
from clipfg.evaluation.curves.learning_curve import LearningCurve
from clipfg.evaluation.curves.page import budget_curve_page, learning_curve_page
from clipfg.evaluation.report.page import report_page
from clipfg.evaluation.report.report import Report
from clipfg.evaluation.tuning.page import tuning_page
from clipfg.evaluation.tuning.report import TuningReport
from clipfg.pages.gallery import Tile, TileGroup


def render_page(
    result: Report | ChoiceReport | LearningCurve | BudgetCurve | TuningReport | BagReport,
    mistakes: Sequence[Tile] = (),
    galleries: Sequence[TileGroup] = (),
) -> str:
    """The page's text; a report shows images of `mistakes`, one on bags `galleries` of them.

    Raises `DataError` for an image that is no JPEG, PNG or WebP.
    """
    if isinstance(result, Report):
        return report_page(result, mistakes)
    if isinstance(result, ChoiceReport):
        return choices_page(result, mistakes)
    if isinstance(result, BagReport):
        return bags_page(result, galleries)
    if isinstance(result, TuningReport):
        return tuning_page(result)
    if isinstance(result, LearningCurve):
        return learning_curve_page(result)
    return budget_curve_page(result)
