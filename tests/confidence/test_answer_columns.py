import math

import pyarrow as pa
import pytest
import torch

from clipfg.confidence import AnswerColumns, AnswerOptions, Confidence
from clipfg.confidence.confidence import FOLDS
from clipfg.errors import UsageError
from clipfg.types import ClassList

NAMES = ("rose", "bramble", "iris")
CLASSES = ClassList(NAMES, {"rose": "Rosaceae", "bramble": "Rosaceae", "iris": "Iridaceae"})
X = torch.eye(4)[:, :2]


def known(n: int = 1000, right: float = 1.0) -> Confidence:
    """Sure and right above 0.5, half right below."""
    certainty = torch.linspace(0.34, 1, n)
    hits = (certainty > 0.5) | (torch.arange(n) % 2 == 0)
    return Confidence(1.0, certainty, hits, certainty, torch.arange(n) % 3, 3, "split val")


def logits(*rows: tuple[float, float, float]) -> torch.Tensor:
    return torch.tensor(rows).log()


def rows(options: AnswerOptions, *shares, confidence=None):
    z = logits(*shares)
    answers = AnswerColumns(options, CLASSES, confidence)
    found = answers.rows(X[: len(z)], z)
    pa.RecordBatch.from_pylist(found, schema=answers.columns)
    return found


def test_it_answers_where_it_is_certain() -> None:
    options = AnswerOptions(target_error=0.05)
    found = rows(options, (0.9, 0.05, 0.05), (0.4, 0.35, 0.25), confidence=known())
    assert found == [{"answer": "rose"}, {"answer": None}]


def test_it_abstains_where_nothing_can_be_shown() -> None:
    answers = AnswerColumns(AnswerOptions(target_error=0.05), CLASSES, known(40))
    assert answers.cut is None
    assert answers.rows(X[:1], logits((0.9, 0.05, 0.05))) == [{"answer": None}]
    assert "40 held-out images cannot show" in answers.notes[0]


def test_answers_roll_up_to_groups() -> None:
    found = rows(AnswerOptions(roll_up=0.8), (0.9, 0.05, 0.05), (0.5, 0.4, 0.1), (0.4, 0.1, 0.5))
    assert [row["answer"] for row in found] == ["rose", "Rosaceae", None]
    assert found[1]["answer_probability"] == pytest.approx(0.9)
    assert found[2]["answer_probability"] is None


def test_a_group_may_be_certain_where_no_class_is() -> None:
    options = AnswerOptions(target_error=0.05, roll_up=0.8)
    shares = ((0.9, 0.05, 0.05), (0.45, 0.45, 0.1), (0.4, 0.2, 0.4))
    found = rows(options, *shares, confidence=known())
    assert [row["answer"] for row in found] == ["rose", "Rosaceae", None]


def test_sets_list_the_most_likely_class_first() -> None:
    own = torch.linspace(0.3, 1, 99)
    confidence = Confidence(1.0, own, own > 0, own, torch.arange(99) % 3, 3, "s")
    (row,) = rows(AnswerOptions(prediction_set=0.9), (0.2, 0.45, 0.35), confidence=confidence)
    threshold = own.sort().values[9]  # ceil(100 * 0.9) = 90 of 99 images lie at or above it
    assert 0.35 < threshold < 0.45
    assert row == {"set": ["bramble"]}


def test_too_few_images_make_no_sets() -> None:
    answers = AnswerColumns(AnswerOptions(prediction_set=0.9), CLASSES, known(8))
    assert answers.rows(X[:1], logits((0.9, 0.05, 0.05))) == [{"set": None}]
    assert "take 9 held-out images, there are 8" in answers.notes[0]


@pytest.mark.parametrize(("each", "too_few"), [(3, True), (4, False)])
def test_folds_of_few_images_guarantee_nothing(each: int, too_few: bool) -> None:
    own = torch.linspace(0.3, 1, 50 * each)
    labels = torch.arange(50).repeat(each)
    confidence = Confidence(1.0, own, own > 0, own, labels, 50, FOLDS)
    (*_, note) = AnswerColumns(AnswerOptions(prediction_set=0.9), CLASSES, confidence).notes
    assert ("too few labels to guarantee anything: with 3" in note) == too_few
    assert ("tend to be conservative" in note) != too_few


def test_a_class_too_small_for_sets_of_its_own_is_reported() -> None:
    confidence = known(20)
    note = AnswerColumns(
        AnswerOptions(prediction_set=0.9, each_class=True), CLASSES, confidence
    ).notes[0]
    assert "for 0 of 3 classes" in note
    assert "fewer than the 9" in note


def test_no_options_add_nothing() -> None:
    answers = AnswerColumns(AnswerOptions(), CLASSES, known())
    assert not answers.options
    assert len(answers.columns) == 0
    assert answers.rows(X[:2], logits((0.9, 0.05, 0.05), (0.4, 0.3, 0.3))) == [{}, {}]
    assert answers.notes == ()


def test_a_missing_ood_detector_is_reported() -> None:
    options = AnswerOptions(unknown=True)
    assert rows(options, (0.9, 0.05, 0.05), confidence=known()) == [
        {"unknown": None, "familiarity": None}
    ]
    assert "saved without --unknown" in AnswerColumns(options, CLASSES, known()).notes[0]


@pytest.mark.parametrize(
    "options",
    [
        AnswerOptions(target_error=0.1),
        AnswerOptions(prediction_set=0.9),
        AnswerOptions(unknown=True),
    ],
)
def test_class_names_alone_guarantee_nothing(options) -> None:
    with pytest.raises(UsageError, match="Class names alone cannot guarantee"):
        AnswerColumns(options, CLASSES)


def test_groups_of_classes_without_parents_are_refused() -> None:
    with pytest.raises(UsageError, match="--roll-up needs classes with parents"):
        AnswerColumns(AnswerOptions(roll_up=0.8), ClassList(NAMES))


@pytest.mark.parametrize("value", [0.0, 1.0, 5.0, math.nan])
@pytest.mark.parametrize("option", ["target_error", "prediction_set", "roll_up"])
def test_levels_outside_0_to_1_are_refused(option, value) -> None:
    with pytest.raises(UsageError, match=f"--{option.replace('_', '-')} must be between 0 and 1"):
        AnswerOptions(**{option: value})


def test_sets_for_each_class_need_a_level() -> None:
    with pytest.raises(UsageError, match="--each-class needs --prediction-set"):
        AnswerOptions(each_class=True)
