"""How far an answer can be trusted: what is learnt from held-out pictures, and what it promises."""

from clipfg.confidence.answers import Answers, Asked
from clipfg.confidence.confidence import Confidence

__all__ = ["Answers", "Asked", "Confidence"]
