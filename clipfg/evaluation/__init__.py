"""Logits and labels -> a report with intervals."""

from typing import TYPE_CHECKING

from clipfg.lazy import exported
from clipfg.types import Estimate

if TYPE_CHECKING:
    from clipfg.evaluation.evaluator import Evaluator
    from clipfg.evaluation.predictions import PredictionWriter
    from clipfg.evaluation.report.report import Report
else:
    homes = {"Evaluator": "evaluator", "PredictionWriter": "predictions", "Report": "report.report"}
    __getattr__, __dir__ = exported(__name__, homes)

__all__ = ["Estimate", "Evaluator", "PredictionWriter", "Report"]
