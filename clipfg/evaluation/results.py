"""What a run folder's `results.json` holds, read back as what it is."""

from typing import Any

from clipfg.evaluation.bags.report import BagReport
from clipfg.evaluation.choices.report import ChoiceReport
from clipfg.evaluation.curves.budget_curve import BudgetCurve
from clipfg.evaluation.curves.learning_curve import LearningCurve
from clipfg.evaluation.report.report import Report
from clipfg.evaluation.report.side_by_side import SideBySide
from clipfg.evaluation.serialization import from_json
from clipfg.evaluation.tuning.report import TuningReport

AnyResult = (
    Report | ChoiceReport | SideBySide | LearningCurve | BudgetCurve | TuningReport | BagReport
)


def read_result(content: Any) -> AnyResult:
    """The result that `serialization.to_json` wrote. Raises `DataError` for anything else."""
    fields = content if isinstance(content, dict) else {}
    kind = fields.get("kind")
    if kind == ChoiceReport.KIND:
        return from_json(ChoiceReport, fields)
    if kind == LearningCurve.KIND:
        return from_json(LearningCurve, fields)
    if kind == BagReport.KIND:
        return from_json(BagReport, fields)
    if kind == TuningReport.KIND:
        return from_json(TuningReport, fields)
    if kind == BudgetCurve.KIND:
        return from_json(BudgetCurve, fields)
    return from_json(SideBySide, fields) if "reports" in fields else from_json(Report, fields)
