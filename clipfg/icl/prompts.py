"""The question that is put to a language model: turns of pictures and words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from clipfg.errors import UsageError

INSTRUCTION = "Name what each picture shows. Answer with the name alone."
AMONG = "Name what each picture shows. Answer with one of these names alone: {names}."
QUESTION = "What is shown in this picture?"

LISTED = 50
"""Up to so many candidates are named in the instruction, unless it says otherwise."""


@dataclass(frozen=True)
class Picture:
    """A picture within a turn; `source` is a path, a URL or a data URL."""

    source: str


@dataclass(frozen=True)
class Turn:
    """What one side says: pictures and words in order."""

    role: Literal["user", "assistant"]
    parts: tuple[Picture | str, ...]


@dataclass(frozen=True)
class Example:
    """A demonstration: a picture and the answer to it, with the question where it has its own."""

    source: str
    answer: str
    question: str | None = None


@dataclass(frozen=True)
class Wording:
    """What is said around the pictures.

    Parameters
    ----------
    instruction
        Said once, before the first picture; `{names}` in it stands for the candidates. None: one
        of `AMONG` and `INSTRUCTION`, by the number of candidates.
    question
        Said after each picture.
    """

    instruction: str | None = None
    question: str = QUESTION

    def instruct(self, candidates: Sequence[str]) -> str:
        """The instruction for these candidates. Raises `UsageError` for one that is blank."""
        given = self.instruction
        if given is None:
            given = AMONG if len(candidates) <= LISTED else INSTRUCTION
        if not given.strip():
            raise UsageError("Expected an instruction, got a blank one; leave the option out.")
        return given.replace("{names}", "; ".join(candidates))


def turns(
    examples: Sequence[Example],
    source: str,
    wording: Wording,
    candidates: Sequence[str],
    question: str | None = None,
) -> list[Turn]:
    """The conversation: instruction, a question and its answer for each example, the question.

    The instruction opens the first turn of the user, since not every model takes a system turn.
    `question` is asked of the picture at `source`; None: the wording's, as of the examples.
    """
    said: list[Turn] = []
    for example in examples:
        asked = example.question or wording.question
        said.append(Turn("user", (Picture(example.source), asked)))
        said.append(Turn("assistant", (example.answer,)))
    said.append(Turn("user", (Picture(source), question or wording.question)))
    first = said[0]
    said[0] = Turn(first.role, (wording.instruct(candidates), *first.parts))
    return said
