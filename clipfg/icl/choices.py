"""Multiple choice: one right name among a few, answered by a letter."""

import string
from collections.abc import Sequence

import numpy as np

from clipfg.errors import UsageError

LETTERS = string.ascii_uppercase
ANSWER = "Answer with the letter alone."


def check_choices(count: int, classes: int) -> None:
    """Raises `UsageError` unless there can be `count` different choices with a letter each."""
    most = min(len(LETTERS), classes)
    if not 2 <= count <= most:
        raise UsageError(f"Expected from 2 to {most} choices among {classes} classes, got {count}.")


def draw_choices(truth: int, classes: int, count: int, seed: Sequence[int]) -> list[int]:
    """The true class and `count - 1` others, each equally likely, in a random order.

    Guessing is right once in `count` times. Equal seeds draw equally.
    """
    generator = np.random.default_rng(list(seed))
    others = generator.choice(classes - 1, count - 1, replace=False)
    others += others >= truth  # the classes but the true one
    return [int(label) for label in generator.permutation([truth, *others])]


def choices_with(label: int, choices: Sequence[int], seed: Sequence[int]) -> list[int]:
    """The same choices shuffled, with `label` in the place of one of them where it is missing.

    For a demonstration of `label` before a question with `choices`: it reads as the question does,
    and the letter of the right answer says nothing of the next one.
    """
    generator = np.random.default_rng(list(seed))
    own = list(choices)
    if label not in own:
        own[int(generator.integers(len(own)))] = label
    return [int(choice) for choice in generator.permutation(own)]


def question_with(question: str, names: Sequence[str]) -> str:
    """The question with a lettered line for each name."""
    lines = [f"{letter}. {name}" for letter, name in zip(LETTERS, names, strict=False)]
    return "\n".join([question, *lines, ANSWER])
