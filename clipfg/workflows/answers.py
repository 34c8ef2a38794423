"""From the confidence options and what a head knows of itself to columns for each image."""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from clipfg.confidence import AnswerOptions
from clipfg.errors import DataError, UsageError
from clipfg.heads.saving import SavedHead
from clipfg.options import Options
from clipfg.types import ClassList

if TYPE_CHECKING:
    from clipfg.confidence import AnswerColumns, Confidence
    from clipfg.confidence.group_answers import GroupAnswers

logger = logging.getLogger("clipfg")

EXTRA = "confidence"
"""Under what name a saved head carries its confidence."""

GROUPS = "groups"
"""Under what name it carries how groups are answered."""


def answer_options(options: Options) -> AnswerOptions:
    """The confidence options of a command. Raises `UsageError` for levels outside 0 to 1."""
    names = AnswerOptions.__dataclass_fields__
    return AnswerOptions(**{x: getattr(options, x) for x in names if hasattr(options, x)})


def confidence_of(saved: SavedHead) -> Confidence | None:
    """What a saved head knows of itself. Raises `DataError` where that is damaged."""
    from clipfg.confidence import Confidence

    fields = saved.extras.get(EXTRA)
    return Confidence.from_fields(fields) if fields else None


def without_confidence(options: Options, saved: SavedHead) -> SavedHead:
    """A head of which some is switched off: what its file says of the whole one is left out.

    Raises `UsageError` for guarantees, which hold for the whole head.
    """
    if answer_options(options).guarantees:
        raise UsageError(
            "The head's guarantees hold for all its prototypes and cannot be combined with"
            " --without; leave out one of the two."
        )
    extras = {name: own for name, own in saved.extras.items() if name not in (EXTRA, GROUPS)}
    return replace(saved, extras=extras)


def factor_of(saved: SavedHead[Any]) -> float:
    """What a saved head's logits are multiplied by to be calibrated; 1 without a calibration.

    Raises `DataError` where that is damaged.
    """
    if EXTRA not in saved.extras:
        return 1.0
    try:
        factor = float(saved.extras[EXTRA]["factor"])
    except (KeyError, TypeError, ValueError, OverflowError):
        factor = math.nan
    if not 0 < factor < math.inf:
        raise DataError(
            "Expected a complete calibration of the head, got one without its factor; fit and save"
            " the head again."
        )
    return factor


def groups_of(saved: SavedHead) -> GroupAnswers | None:
    """How a saved head answers groups, if it was tried on any. Raises `DataError` for damage."""
    from clipfg.confidence.group_answers import GroupAnswers

    fields = saved.extras.get(GROUPS)
    return GroupAnswers.from_fields(fields) if fields else None


def answer_columns(
    options: Options, classes: ClassList, confidence: Confidence | None
) -> AnswerColumns | None:
    """The requested columns, or None. Raises `UsageError` for what cannot be told."""
    requested = answer_options(options)
    if not requested and confidence is None:
        return None
    from clipfg.confidence import AnswerColumns

    return AnswerColumns(requested, classes, confidence)


def log_guarantees(answers: AnswerColumns | None) -> None:
    """What the answers guarantee and what they do not."""
    for note in answers.notes if answers else ():
        logger.info(note)
