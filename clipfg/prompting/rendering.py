"""A prompt set rendered for a class list: every sentence with its class and its template."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from clipfg.errors import DataError
from clipfg.prompting.prompt_set import PromptSet, asks_for_text
from clipfg.types import ClassList


@dataclass(frozen=True)
class Sentences:
    """Sentences `[t]` about classes `0..c-1`, class by class.

    `owners` are the class index of each, ascending; every class has at least one. `templates` are
    the position of the template that made each: sentences of several classes with the same position
    say the same about different things, and can be weighed together.
    """

    texts: tuple[str, ...]
    owners: NDArray[np.int64]
    templates: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.texts)

    @classmethod
    def of(cls, rows: Iterable[tuple[int, int, str]]) -> Self:
        """From rows of class, template and sentence, which are sorted by class."""
        owners, templates, texts = zip(*sorted(rows, key=lambda row: row[0]), strict=True)
        return cls(tuple(texts), np.array(owners, np.int64), np.array(templates, np.int64))

    @classmethod
    def join(cls, parts: Iterable[Self]) -> Self:
        """The sentences of all parts; the templates of different parts stay different."""
        rows: list[tuple[int, int, str]] = []
        offset = 0
        for part in parts:
            shifted = (part.templates + offset).tolist()
            rows += zip(part.owners.tolist(), shifted, part.texts, strict=True)
            offset += int(part.templates.max()) + 1
        return cls.of(rows)


def sentences_for(prompts: PromptSet, classes: ClassList) -> Sentences:
    """Every sentence for every class, by all of its names.

    A template with another kind of name (`ClassList.synonyms`) is a template of its own, so that
    names can be weighed too; `{text}` is filled once.

    Raises `DataError` as `PromptSet.render` does.
    """
    templates = prompts.numbered_templates
    rows: list[tuple[int, int, str]] = []
    for owner, name in enumerate(classes.names):
        made = prompts.numbered(name, classes.texts.get(name, ()))
        if not made:
            prompts.render(name, classes.texts.get(name, ()))  # raises
        rows += ((owner, position, text) for position, text in made)
        for kind, (called, others) in enumerate(classes.synonyms.items(), 1):
            if (other := others.get(name)) is None or called in classes.silent:
                continue
            rows += (
                (owner, kind * len(templates) + position, text)
                for position, text in prompts.numbered(other)
                if not asks_for_text(templates[position])
            )
    return Sentences.of(rows)


def names_used(classes: ClassList) -> str:
    """A remark on the names that texts are made of, where classes have several; else nothing."""
    kinds = ", ".join(kind for kind in classes.synonyms if kind not in classes.silent)
    if not kinds:
        return ""
    return (
        f"Texts are made of several names of each class, averaged: the one that answers use, and"
        f" {kinds}; --name-column chooses."
    )


def texts_for(prompts: PromptSet, classes: ClassList) -> tuple[list[str], NDArray[np.int64]]:
    """The sentences of `sentences_for` `[t]`, and the class index of each `[t]`."""
    sentences = sentences_for(prompts, classes)
    return list(sentences.texts), sentences.owners


def check_texts(prompts: PromptSet, classes: ClassList, what: str) -> None:
    """Raises `DataError` when no class has a text, which `what` needs."""
    if not any(prompts.texts_of(name, classes.texts.get(name, ())) for name in classes.names):
        raise DataError(
            f"Expected classes with texts for {what}, got none with prompt set {prompts.name!r};"
            f" join it with descriptions, as in {prompts.name}+cub200."
        )
