"""How far an answer can be trusted: calibration on held-out images, and its guarantees."""

from clipfg.confidence.answer_columns import AnswerColumns
from clipfg.confidence.answer_options import AnswerOptions
from clipfg.confidence.confidence import Confidence

__all__ = ["AnswerColumns", "AnswerOptions", "Confidence"]
