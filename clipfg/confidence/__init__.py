"""How far an answer can be trusted: what is learnt from held-out images, and what it guarantees."""

from clipfg.confidence.answers import AnswerColumns, AnswerOptions
from clipfg.confidence.confidence import Confidence

__all__ = ["AnswerColumns", "AnswerOptions", "Confidence"]
