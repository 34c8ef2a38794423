"""How far an answer can be trusted: calibration on held-out images, and its guarantees."""

from typing import TYPE_CHECKING

from clipfg.lazy import exported

if TYPE_CHECKING:
    from clipfg.confidence.answer_columns import AnswerColumns
    from clipfg.confidence.answer_options import AnswerOptions
    from clipfg.confidence.confidence import Confidence
else:
    homes = {"AnswerColumns": "answer_columns", "AnswerOptions": "answer_options"}
    __getattr__, __dir__ = exported(__name__, homes | {"Confidence": "confidence"})

__all__ = ["AnswerColumns", "AnswerOptions", "Confidence"]
