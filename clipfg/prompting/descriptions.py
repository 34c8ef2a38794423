"""Structured descriptions: what each class looks like, part by part.

A file of `prompts/descriptions` maps class names to parts and parts to phrases ("bill" -> "long and
hooked, dusky"). Sentences for a classifier are made from them here; contrasts between classes and
hard negatives can be, since a part of one class meets the same part of another.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from clipfg.errors import DataError
from clipfg.prompting.articles import with_article
from clipfg.prompting.prompt_set import PromptSet, loose
from clipfg.registry import closest

WHOLE = "size and shape"
"""The part whose phrase says what the whole is: "a large, heavy seabird"."""

_FIELDS = {"about", "source", "kind", "note", "classes"}


@dataclass(frozen=True)
class Descriptions:
    """Classes, their parts, and a phrase for each.

    Attributes
    ----------
    name
        The file's stem ("cub200").
    kind
        What all classes are ("bird").
    parts
        Class name to part to phrase, in the file's order.
    about, source, note
        One line on what it is; who wrote it; what a reader of figures must know, or nothing.

    Raises `DataError` for two names that are one when read loosely.
    """

    name: str
    kind: str
    parts: Mapping[str, Mapping[str, str]]
    about: str = ""
    source: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        if len(self._names) < len(self.parts):
            twice = next(name for name in self.parts if self._names[loose(name)] != name)
            raise DataError(f"Expected each class once in descriptions {self.name!r}: {twice!r}.")

    @cached_property
    def _names(self) -> dict[str, str]:
        return {loose(name): name for name in self.parts}

    def __len__(self) -> int:
        return len(self.parts)

    def __contains__(self, class_name: object) -> bool:
        return isinstance(class_name, str) and loose(class_name) in self._names

    def of(self, class_name: str) -> Mapping[str, str]:
        """Part to phrase of one class, whatever its name's case, hyphens and apostrophes.

        Raises `DataError` for a class that is not described.
        """
        try:
            return self.parts[self._names[loose(class_name)]]
        except KeyError:
            raise DataError(
                f"Expected a class that {self.name} describes, got {class_name!r}."
                f"{closest(class_name, self.parts)}"
            ) from None

    def texts(self, class_name: str) -> tuple[str, ...]:
        """A phrase of the part's name and what it is like: "bill long and hooked, dusky".

        Raises `DataError` for a class that is not described.
        """
        return tuple(attribute(part, phrase) for part, phrase in self.of(class_name).items())

    def as_prompts(self) -> PromptSet:
        """The set that makes one sentence of each part of each class.

        "Sooty Albatross, a bird: tail long and wedge-shaped."
        """
        return PromptSet(
            self.name,
            (f"{{}}, {with_article(self.kind)}: {{text}}.",),
            {name: self.texts(name) for name in self.parts},
            source=self.source,
            about=self.about,
            note=self.note,
        )


def attribute(part: str, phrase: str) -> str:
    """What the part is like, as words that follow a name and a comma or a colon."""
    return phrase if part == WHOLE else f"{part} {phrase}"


def read_descriptions(content: Any, name: str) -> Descriptions:
    """Descriptions from a parsed YAML or JSON file.

    Raises `DataError` for other fields than `about, source, kind, note, classes`, and classes
    that are not part -> phrase.
    """
    where = f"descriptions {name!r}"
    unknown = sorted(set(map(str, content)) - _FIELDS)
    classes = content.get("classes")
    if unknown or not isinstance(classes, Mapping) or not classes:
        raise DataError(
            f"Expected kind, classes, about, source and note in {where},"
            f" got {', '.join(unknown) or 'no classes'}."
        )
    for class_name, parts in classes.items():
        if not isinstance(parts, Mapping) or not parts or not all(map(_is_phrase, parts.values())):
            raise DataError(
                f"Expected `part: phrase` lines for {str(class_name)!r} in {where}; put a phrase"
                " with a colon in quotes."
            )
    return Descriptions(
        name=name,
        kind=str(content.get("kind") or "thing"),
        parts={
            str(class_name): {str(part): phrase.strip() for part, phrase in parts.items()}
            for class_name, parts in classes.items()
        },
        about=str(content.get("about") or ""),
        source=str(content.get("source") or ""),
        note=str(content.get("note") or ""),
    )


def _is_phrase(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())
