"""The prompt of a vision-language model: turns of images and text."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

NAME = "Name what each image shows. Answer with the name alone."
AMONG = "Name what each image shows. Answer with one of these names alone: {names}."
CHOOSE = "Each question has one right answer among those listed. Answer with its letter alone."
QUESTION = "What is shown in this image?"

LISTED = 50
"""The default instruction lists the candidates if there are at most this many."""


@dataclass(frozen=True)
class PromptImage:
    """An image in a turn; `source` is a path, a URL or a data URL."""

    source: str


@dataclass(frozen=True)
class Turn:
    """One message: images and text in order."""

    role: Literal["user", "assistant"]
    parts: tuple[PromptImage | str, ...]


@dataclass(frozen=True)
class Example:
    """A demonstration: an image, a question about it, and the answer."""

    source: str
    question: str
    answer: str


def turns(
    examples: Sequence[Example], source: str, question: str, instruction: str
) -> tuple[Turn, ...]:
    """The conversation: a question and its answer for each example, then the question.

    The instruction opens the first user turn, since not every model accepts a system turn.
    """
    said: list[Turn] = []
    for example in examples:
        said.append(Turn("user", (PromptImage(example.source), example.question)))
        said.append(Turn("assistant", (example.answer,)))
    said.append(Turn("user", (PromptImage(source), question)))
    said[0] = Turn("user", (instruction, *said[0].parts))
    return tuple(said)


def sources(said: Sequence[Turn]) -> list[str]:
    """The sources of the images of a conversation, in order."""
    return [part.source for turn in said for part in turn.parts if isinstance(part, PromptImage)]


def with_sources(said: Sequence[Turn], new: Callable[[str], str]) -> tuple[Turn, ...]:
    """The same conversation with the images' sources replaced."""

    def renewed(part: PromptImage | str) -> PromptImage | str:
        return PromptImage(new(part.source)) if isinstance(part, PromptImage) else part

    return tuple(Turn(turn.role, tuple(map(renewed, turn.parts))) for turn in said)
