"""From what a person asks and what a head knows of itself to the answers of each image."""

import logging

from clipfg.confidence import AnswerColumns, AnswerOptions, Confidence
from clipfg.heads.saving import SavedHead
from clipfg.settings import Settings
from clipfg.types import ClassList

logger = logging.getLogger("clipfg")

EXTRA = "confidence"
"""Under what name a saved head carries its confidence."""


def asked_of(settings: Settings) -> AnswerOptions:
    """What is asked of every image. Raises `UsageError` for levels outside 0 to 1."""
    return AnswerOptions(
        target_error=settings.target_error,
        prediction_set=settings.prediction_set,
        each_class=settings.each_class,
        unknown=settings.unknown,
        roll_up=settings.roll_up,
    )


def confidence_of(saved: SavedHead) -> Confidence | None:
    """What a saved head knows of itself. Raises `DataError` where that is damaged."""
    fields = saved.extras.get(EXTRA)
    return Confidence.from_fields(fields) if fields else None


def answers_for(
    settings: Settings, classes: ClassList, confidence: Confidence | None
) -> AnswerColumns | None:
    """The asked columns; None where there is nothing to add.

    Raises `UsageError` for what cannot be told of such classes or without labels.
    """
    asked = asked_of(settings)
    if not asked and confidence is None:
        return None
    return AnswerColumns(asked, classes, confidence)


def say_guarantees(answers: AnswerColumns | None) -> None:
    """What the answers guarantee and what they do not, for the person who waits."""
    for note in answers.notes if answers else ():
        logger.info(note)


def calibrated(answers: AnswerColumns | None) -> bool:
    """Whether logits become probabilities by a temperature fitted on labelled images."""
    return answers is not None and answers.confidence is not None
