"""Structured descriptions: what each class looks like, part by part ("bill": "long, hooked")."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from clipfg.errors import DataError
from clipfg.prompting.articles import with_article
from clipfg.prompting.prompt_set import PromptSet, loose

WHOLE = "size and shape"
"""The part whose phrase describes the whole: "a large, heavy seabird"."""

_FIELDS = {"about", "source", "kind", "note", "classes"}


@dataclass(frozen=True)
class Descriptions:
    """Classes, their parts, and a phrase for each part.

    `name` is the file's stem ("cub200"), `kind` what all classes are ("bird"), and `parts` maps
    class name to part to phrase, in the file's order. `about, source, note` are as in `PromptSet`.

    Raises `DataError` for duplicate class names (ignoring case and punctuation).
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
            raise DataError(
                f"Expected each class once in descriptions {self.name!r}, got {twice!r} twice."
            )

    @cached_property
    def _names(self) -> dict[str, str]:
        return {loose(name): name for name in self.parts}

    def __contains__(self, class_name: object) -> bool:
        return isinstance(class_name, str) and loose(class_name) in self._names

    def as_prompts(self) -> PromptSet:
        """One sentence for each part: "Sooty Albatross, a bird: tail long and wedge-shaped."."""
        texts = {
            name: tuple(x if part == WHOLE else f"{part} {x}" for part, x in parts.items())
            for name, parts in self.parts.items()
        }
        return PromptSet(
            self.name,
            (f"{{}}, {with_article(self.kind)}: {{text}}.",),
            texts,
            source=self.source,
            about=self.about,
            note=self.note,
        )


def read_descriptions(content: Any, name: str) -> Descriptions:
    """Descriptions from a parsed YAML or JSON file.

    Raises `DataError` for fields other than `about, source, kind, note, classes`, and for classes
    that do not map parts to phrases.
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
        if (
            not isinstance(parts, Mapping)
            or not parts
            or not all(isinstance(phrase, str) and phrase.strip() for phrase in parts.values())
        ):
            raise DataError(
                f"Expected `part: phrase` lines for {str(class_name)!r} in {where}; put a phrase"
                " with a colon in quotes."
            )
    texts = {field: str(content.get(field) or "") for field in ("about", "source", "note")}
    parts = {
        str(class_name): {str(part): phrase.strip() for part, phrase in parts.items()}
        for class_name, parts in classes.items()
    }
    return Descriptions(name, str(content.get("kind") or "thing"), parts, **texts)
