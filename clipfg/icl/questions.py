"""Questions about one image: its name among candidates, or a letter among a few choices."""

import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from clipfg.errors import UsageError
from clipfg.icl.prompts import AMONG, CHOOSE, LISTED, NAME, QUESTION, Example, Turn, turns

LETTERS = string.ascii_uppercase


@dataclass(frozen=True)
class PromptWording:
    """The text around the images: an instruction before the first, a question after each.

    `{names}` in the instruction stands for the candidates. None: the default for the kind of
    question.
    """

    instruction: str | None = None
    question: str = QUESTION

    def instruct(self, default: str, names: Sequence[str]) -> str:
        """The instruction, or the default, with the candidates filled in."""
        given = default if self.instruction is None else self.instruction
        return given.replace("{names}", "; ".join(names))


Shown: TypeAlias = Sequence[tuple[str, int]]
"""Demonstrations as questions need them: the source of each image and its class index."""


@dataclass(frozen=True)
class Question:
    """A conversation that ends with a question, its candidate answers, and their classes."""

    turns: tuple[Turn, ...]
    answers: tuple[str, ...]
    labels: tuple[int, ...]


def ask_name(
    shown: Shown,
    source: str,
    names: Sequence[str],
    candidates: Sequence[int],
    wording: PromptWording,
) -> Question:
    """Ask for one of `names` `[c]` at `candidates`; the default instruction lists some of them."""
    among = [names[label] for label in candidates]
    instruction = wording.instruct(AMONG if len(among) <= LISTED else NAME, among)
    examples = [Example(image, wording.question, names[label]) for image, label in shown]
    said = turns(examples, source, wording.question, instruction)
    return Question(said, tuple(among), tuple(candidates))


def ask_choice(
    shown: Shown,
    source: str,
    names: Sequence[str],
    choices: Sequence[int],
    wording: PromptWording,
    seed: Sequence[int],
) -> Question:
    """Ask for the letter of one of the choices.

    Each demonstration looks like the question: it lists the same choices in its own order, with its
    own name replacing one of them if it is missing. So the correct letter of one demonstration says
    nothing about the next.
    """
    examples = []
    for place, (image, shown_label) in enumerate(shown):
        own = _choices_with(shown_label, choices, [*seed, place])
        asked = _lettered(wording.question, [names[label] for label in own])
        examples.append(Example(image, asked, LETTERS[own.index(shown_label)]))
    among = [names[label] for label in choices]
    said = turns(
        examples, source, _lettered(wording.question, among), wording.instruct(CHOOSE, among)
    )
    return Question(said, tuple(LETTERS[: len(choices)]), tuple(choices))


def check_choices(count: int, classes: int) -> None:
    """Raises `UsageError` unless `count` different choices with a letter each are possible."""
    most = min(len(LETTERS), classes)
    if not 2 <= count <= most:
        raise UsageError(f"--choices must be from 2 to {most} for {classes} classes, got {count}.")


def draw_choices(truth: int, classes: int, count: int, seed: Sequence[int]) -> list[int]:
    """The true class and `count - 1` others, drawn uniformly, in random order."""
    generator = np.random.default_rng(list(seed))
    others = generator.choice(classes - 1, count - 1, replace=False)
    others += others >= truth  # skip the true class
    return generator.permutation([truth, *others]).tolist()


def _choices_with(label: int, choices: Sequence[int], seed: Sequence[int]) -> list[int]:
    generator = np.random.default_rng(list(seed))
    own = list(choices)
    if label not in own:
        own[int(generator.integers(len(own)))] = label
    return generator.permutation(own).tolist()


def _lettered(question: str, names: Sequence[str]) -> str:
    lines = [f"{letter}. {name}" for letter, name in zip(LETTERS, names, strict=False)]
    return "\n".join([question, *lines])
