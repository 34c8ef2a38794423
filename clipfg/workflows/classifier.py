"""What answers for the images of a prediction: a head, its classes, and what is said of them."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from clipfg.errors import DataError, UsageError
from clipfg.heads.array_head import ArrayHead
from clipfg.heads.saving import SavedHead, load_array_head, load_head
from clipfg.options import PredictOptions
from clipfg.types import ClassList
from clipfg.workflows.answers import EXTRA as CONFIDENCE
from clipfg.workflows.answers import (
    answer_columns,
    answer_options,
    confidence_of,
    factor_of,
    groups_of,
    log_guarantees,
    without_confidence,
)
from clipfg.workflows.dataset import Dataset
from clipfg.workflows.views import EXTRA as VIEWS
from clipfg.workflows.views import goes_by_surest

if TYPE_CHECKING:
    from clipfg.confidence import AnswerColumns
    from clipfg.confidence.group_answers import GroupAnswers
    from clipfg.heads import Head
    from clipfg.workflows.group_predictions import GroupPredictions
    from clipfg.workflows.prototypes.switched import SwitchedHead

logger = logging.getLogger("clipfg")


@dataclass(frozen=True)
class Classifier:
    """What answers for images, and what is said of its answers."""

    head: Any
    """A `Head` or an `ArrayHead`; None for that of the class names, which takes an encoder."""
    classes: ClassList
    answers: AnswerColumns | None
    rule: GroupAnswers | None
    """How groups are answered; None where images are."""
    of_groups: AnswerColumns | None
    switched: SwitchedHead | None
    """The head, where prototypes are switched off."""
    zero_shot: bool
    """Whether its logits are an encoder's own cosines, scored as that was trained."""

    @classmethod
    def of(cls, options: PredictOptions, saved: SavedHead[Any] | None, classes: ClassList) -> Self:
        """As the options ask for it. Raises `UsageError` for what the head cannot do."""
        head: Any = saved.head if saved else None
        known = confidence_of(saved) if saved and not isinstance(head, ArrayHead) else None
        answers = answer_columns(options, classes, known)
        switched = _switched(options.without, head) if options.without is not None else None
        head = switched or head
        zero_shot = (head is None or head.name == "zero-shot") and not (
            saved and saved.extras.get(CONFIDENCE)
        )
        rule = _rule(options, saved)
        if options.within is not None:
            head, classes, answers = _within(options.within, head, classes, answers)
        of_groups = answer_columns(options, classes, rule.confidence) if rule else None
        log_guarantees(answers if rule is None else of_groups)
        if options.explain:
            from clipfg.workflows.explain.added import check_head

            check_head(head)
        if len(classes) == 1:
            logger.warning(
                f"{classes.names[0]!r} is the only class: every image gets it, with a probability"
                " of 1. Name what else there may be by --classes."
            )
        return cls(head, classes, answers, rule, of_groups, switched, zero_shot)

    def groups(self, data: Dataset) -> GroupPredictions | None:
        """Where the answers of groups are gathered; None where images are answered."""
        if self.rule is None:
            return None
        from clipfg.workflows.group_predictions import GroupPredictions

        return GroupPredictions.of(data.manifest, self.rule, len(self.classes))

    def results(self) -> dict[str, Any]:
        """What a finished run says of its answers in `results.json`."""
        found: dict[str, Any] = {}
        if self.switched is not None:
            logger.info(self.switched.said)
            found["without"] = {"off": self.switched.left.off_, "changed": self.switched.changed}
        if self.answers is not None and self.answers.options:
            found["guarantees"] = list(self.answers.notes)
        return found


def _switched(without: str, head: Any) -> SwitchedHead:
    if head is None:
        raise UsageError("--without is for a head of patch prototypes; name one by --head.")
    from clipfg.workflows.prototypes.saved import parse_without
    from clipfg.workflows.prototypes.switched import SwitchedHead

    return SwitchedHead.of(head, parse_without(without))


def _rule(options: PredictOptions, saved: SavedHead | None) -> GroupAnswers | None:
    """How groups are answered; None without `--group-by`.

    Raises `UsageError` for guarantees of a head that was never tried on groups.
    """
    if options.group_by is None and not answer_options(options).guarantees:
        return None
    rule = groups_of(saved) if saved else None
    if options.group_by is None:
        if rule is not None:
            logger.warning(
                "Guarantees take pictures for independent. The head knows groups of them, and"
                " those of one group are not: --group-by answers groups, with guarantees of theirs."
            )
        return None
    if rule is not None and options.within is None:
        shares = ", ".join(f"{name} {share:.1%}" for name, share in (rule.right or {}).items())
        logger.info(f"Groups are answered by {rule.rule}, chosen on held-out groups: {shares}")
        return rule
    if answer_options(options).guarantees:
        raise UsageError(
            "Expected for guarantees of groups a head that was saved by `clipfg fewshot --group-by`"
            " and all its classes, got another; leave out --group-by for guarantees of pictures."
        )
    from clipfg.confidence.group_answers import GroupAnswers

    factor = rule.factor if rule else 1.0
    logger.info("Groups are answered by the mean of logits, with no confidence of their own")
    return GroupAnswers(factor=factor)


def _within(
    wanted: str, head: Head | None, classes: ClassList, answers: AnswerColumns | None
) -> tuple[Head | None, ClassList, AnswerColumns | None]:
    """Only some of the classes. Raises `UsageError` for guarantees, which hold among all."""
    names = classes.below(wanted)
    if head is not None:
        from clipfg.heads.class_subset import ClassSubset

        head = ClassSubset(head, tuple(classes.index(name) for name in names))
    narrowed = classes.only(names)
    if answers is None:
        return head, narrowed, None
    if answers.options.guarantees:
        raise UsageError(
            f"The head's guarantees hold among all {len(classes):,} classes and cannot be combined"
            f" with --within {wanted!r}; fit a head for those alone by `clipfg fewshot ... --within"
            f" {wanted!r}`."
        )
    return head, narrowed, replace(answers, classes=narrowed)


def is_plain(options: PredictOptions) -> bool:
    """Whether the likeliest classes are all that is asked for, which NumPy finds without torch."""
    more = answer_options(options) or (options.within and options.head)
    several = options.views or goes_by_surest(options) or options.group_by
    return not (more or several or options.without or options.explain)


def saved_head(options: PredictOptions) -> SavedHead[Any] | None:
    """The head of `--head`; a calibrated `ArrayHead` where that will do."""
    if options.head is None:
        return None
    if is_plain(options):
        saved = load_array_head(options.head)
        if saved is not None and VIEWS not in saved.extras:
            return replace(saved, head=replace(saved.head, factor=factor_of(saved)))
    found = load_head(options.head)
    return found if options.without is None else without_confidence(options, found)


def classes_of(options: PredictOptions, saved: SavedHead[Any] | None) -> ClassList:
    """The classes to choose among. Raises `DataError` for a head that does not name its own."""
    if options.classes is not None:
        from clipfg.data.readers.class_files import read_class_list

        return read_class_list(options.classes, name_column=options.name_column)
    if saved is None or saved.classes is None:
        raise DataError(f"Expected a head with class names, {options.head} has none.")
    return saved.classes
