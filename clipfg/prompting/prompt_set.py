"""Sentence templates, and the sentences that they make of a class name.

Three placeholders: `{}` is the class name, `{a}` the name with its article ("an albatross"),
`{text}` each sentence known about the class. `{{` and `}}` are literal braces.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from clipfg.errors import DataError
from clipfg.prompting.articles import with_article
from clipfg.types import ClassList

PLACEHOLDERS = ("", "a", "text")
_FIELD = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")


@dataclass(frozen=True)
class PromptSet:
    """Templates and descriptions, by name.

    Parameters
    ----------
    name
        As `load_prompts` takes it ("birds").
    templates
        Sentences with `{}`, `{a}` or `{text}` in them. A template with `{text}` makes one
        sentence of each text that a class has, and none for a class that has no text.
    descriptions
        Class name to sentences, the texts that this set itself brings.
    source
        Who wrote it.
    about
        One line on what it is for.

    Raises `DataError` for no templates, one without a placeholder or with an unknown one, and
    descriptions that no template uses.
    """

    name: str
    templates: tuple[str, ...]
    descriptions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    source: str = ""
    about: str = ""

    def __post_init__(self) -> None:
        if not self.templates:
            raise DataError(
                f"Expected at least one template in prompt set {self.name!r}, got none."
            )
        for template in self.templates:
            self._check(template)
        if self.descriptions and not self.uses_texts:
            raise DataError(
                f"Prompt set {self.name!r} has descriptions but no template that uses them;"
                " add the template '{text}'."
            )

    def _check(self, template: str) -> None:
        fields = _fields(template)
        if not fields:
            raise DataError(
                f"Expected a placeholder in each template of prompt set {self.name!r},"
                f" got {template!r}; write {{}} where the class name belongs."
            )
        for found in fields:
            if found not in PLACEHOLDERS:
                raise DataError(
                    f"Expected {{}}, {{a}} or {{text}} in templates, got {{{found}}} in"
                    f" {template!r} of prompt set {self.name!r}; literal braces are doubled."
                )

    @property
    def uses_texts(self) -> bool:
        """Whether some template asks for the class's texts."""
        return any("text" in _fields(template) for template in self.templates)

    @cached_property
    def _described(self) -> dict[str, tuple[str, ...]]:
        joined: dict[str, tuple[str, ...]] = {}
        for name, sentences in self.descriptions.items():
            joined[_key(name)] = joined.get(_key(name), ()) + tuple(sentences)
        return joined

    def render(self, class_name: str, texts: Sequence[str] = ()) -> tuple[str, ...]:
        """The sentences for one class, template by template.

        `texts` are the class's own (`ClassList.texts`); those of `descriptions` follow them.
        Underscores in the name read as spaces. Raises `DataError` when every template asks for
        a text and the class has none.
        """
        name = readable(class_name)
        known = (*texts, *self._described.get(_key(class_name), ()))
        sentences: list[str] = []
        for template in self.templates:
            asks = "text" in _fields(template)
            sentences += (_fill(template, name, text) for text in (known if asks else ("",)))
        if not sentences:
            raise DataError(
                f"Prompt set {self.name!r} is made of the classes' texts alone, and {class_name!r}"
                " has none; give it one or choose another set, such as 'general'."
            )
        return tuple(sentences)


def texts_for(prompts: PromptSet, classes: ClassList) -> tuple[list[str], NDArray[np.int64]]:
    """Every sentence for every class `[t]`, and the class index that each belongs to `[t]`.

    Classes come in order and each has at least one sentence. Raises `DataError` as
    `PromptSet.render` does.
    """
    texts: list[str] = []
    owners: list[int] = []
    for owner, name in enumerate(classes.names):
        sentences = prompts.render(name, classes.texts.get(name, ()))
        texts += sentences
        owners += [owner] * len(sentences)
    return texts, np.asarray(owners, dtype=np.int64)


def readable(class_name: str) -> str:
    """A class name as prose has it: underscores and runs of white space are one space."""
    return " ".join(class_name.replace("_", " ").split()) or class_name


def _key(class_name: str) -> str:
    # "Red-winged_Blackbird" and "red winged blackbird" are one class to a description file.
    return readable(class_name.replace("-", " ")).casefold()


def _fields(template: str) -> list[str]:
    return [match[1] for match in _FIELD.finditer(template) if match[1] is not None]


def _fill(template: str, name: str, text: str) -> str:
    """One pass over the template, so that braces in a name or a text stay what they are."""
    values: dict[str, Callable[[], str]] = {
        "": lambda: name,
        "a": lambda: with_article(name),
        "text": lambda: text,
    }

    def replacement(match: re.Match[str]) -> str:
        return match[0][0] if match[1] is None else values[match[1]]()

    return _FIELD.sub(replacement, template)
