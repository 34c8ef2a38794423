"""Logits and labels -> a report with intervals."""

from clipfg.evaluation.evaluator import Evaluator
from clipfg.evaluation.intervals import Estimate
from clipfg.evaluation.predictions import PredictionWriter
from clipfg.evaluation.report import Report

__all__ = ["Estimate", "Evaluator", "PredictionWriter", "Report"]
