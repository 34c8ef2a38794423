"""Logits and labels -> a report with intervals."""

from clipfg.evaluation.evaluator import Evaluator
from clipfg.evaluation.predictions import PredictionWriter
from clipfg.evaluation.report.report import Report
from clipfg.types import Estimate

__all__ = ["Estimate", "Evaluator", "PredictionWriter", "Report"]
