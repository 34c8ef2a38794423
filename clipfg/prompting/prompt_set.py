"""Prompt templates, and the sentences that they make of a class name.

Three placeholders: `{}` is the class name, `{a}` the name with its article ("an albatross"),
`{text}` each text about the class. `{{` and `}}` are literal braces.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from clipfg.errors import DataError
from clipfg.prompting.articles import with_article

PLACEHOLDERS = ("", "a", "text")
_FIELD = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")


@dataclass(frozen=True)
class PromptSet:
    """Named templates and class descriptions.

    A template with `{text}` makes one sentence of each text of a class, and none for a class
    without texts. `descriptions` map class names to texts, which add to the class's own. `source`
    is the author, `about` one line on what the set is for, `note` a caveat for readers of figures
    that were made with it. The sentences of `also` follow its own: `birds+cub200` is `birds`, and
    also `cub200`.

    Raises `DataError` for no templates, a template without a placeholder or with an unknown one,
    and descriptions that no template uses.
    """

    name: str
    templates: tuple[str, ...]
    descriptions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    source: str = ""
    about: str = ""
    note: str = ""
    also: tuple["PromptSet", ...] = ()

    def __post_init__(self) -> None:
        if not self.templates:
            raise DataError(
                f"Expected at least one template in prompt set {self.name!r}, got none."
            )
        for template, fields in ((template, _fields(template)) for template in self.templates):
            if not fields:
                raise DataError(
                    f"Expected a placeholder in each template of prompt set {self.name!r},"
                    f" got {template!r}; write {{}} where the class name belongs."
                )
            if unknown := [field for field in fields if field not in PLACEHOLDERS]:
                raise DataError(
                    f"Expected {{}}, {{a}} or {{text}} in templates, got {{{unknown[0]}}} in"
                    f" {template!r} of prompt set {self.name!r}; double literal braces."
                )
        if self.descriptions and not self.uses_texts:
            raise DataError(
                f"Prompt set {self.name!r} has descriptions but no template that uses them;"
                " add the template '{text}'."
            )

    @cached_property
    def joined(self) -> tuple["PromptSet", ...]:
        """The set itself and all sets that it is joined with, in order."""
        return (self, *(one for other in self.also for one in other.joined))

    @cached_property
    def numbered_templates(self) -> tuple[str, ...]:
        """The templates of all joined sets; a template is known by its position here."""
        return tuple(template for one in self.joined for template in one.templates)

    @property
    def uses_texts(self) -> bool:
        """Whether some template uses the texts of a class."""
        return any(map(asks_for_text, self.numbered_templates))

    @property
    def notes(self) -> tuple[str, ...]:
        """The notes of all joined sets."""
        return tuple(one.note for one in self.joined if one.note)

    @cached_property
    def _described(self) -> dict[str, tuple[str, ...]]:
        described: dict[str, tuple[str, ...]] = {}
        for name, texts in self.descriptions.items():
            described[loose(name)] = described.get(loose(name), ()) + tuple(texts)
        return described

    def texts_of(self, class_name: str, texts: Sequence[str] = ()) -> tuple[str, ...]:
        """All texts about a class: its own `texts`, then the descriptions of all joined sets."""
        key = loose(class_name)
        described = (text for one in self.joined for text in one._described.get(key, ()))
        return tuple(dict.fromkeys([*texts, *described]))

    def numbered(self, class_name: str, texts: Sequence[str] = ()) -> list[tuple[int, str]]:
        """The sentences for one class, each with the position of its template.

        The list is empty where every template needs a text and the class has none.
        """
        name, key = readable(class_name), loose(class_name)
        sentences: list[tuple[int, str]] = []
        position = 0
        for one in self.joined:
            known = (*texts, *one._described.get(key, ()))
            for template in one.templates:
                fill = known if asks_for_text(template) else ("",)
                sentences += ((position, _fill(template, name, text)) for text in fill)
                position += 1
        return sentences

    def render(self, class_name: str, texts: Sequence[str] = ()) -> tuple[str, ...]:
        """The sentences for one class, template by template.

        `texts` are the class's own (`ClassList.texts`); those of `descriptions` follow them.
        Underscores in the name become spaces. Raises `DataError` when every template needs a text
        and the class has none.
        """
        sentences = self.numbered(class_name, texts)
        if not sentences:
            raise DataError(
                f"Every template of prompt set {self.name!r} needs a text, and {class_name!r} has"
                " none; give it one or choose another set, such as 'general'."
            )
        return tuple(sentence for _, sentence in sentences)


def readable(class_name: str) -> str:
    """A class name for use in a sentence: underscores and runs of white space become one space."""
    return " ".join(class_name.replace("_", " ").split()) or class_name


def loose(class_name: str) -> str:
    """A key for class names that ignores case, accents, punctuation and possessives.

    "Red-winged_Blackbird" becomes "red winged blackbird", and "Brewer's Sparrow" "brewer sparrow".
    A name of punctuation alone stays as it is.
    """
    plain = unicodedata.normalize("NFKD", readable(class_name)).casefold().replace("’", "'")
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    plain = re.sub(r"'s\b", "", plain).replace("'", "").replace("&", " and ")
    return " ".join(re.findall(r"[^\W_]+", plain)) or class_name


def asks_for_text(template: str) -> bool:
    """Whether a template has `{text}` in it."""
    return "text" in _fields(template)


def _fields(template: str) -> list[str]:
    return [match[1] for match in _FIELD.finditer(template) if match[1] is not None]


def _fill(template: str, name: str, text: str) -> str:
    """The template, filled in one pass, so that braces in a name or a text are left alone."""
    values = {"": name, "a": with_article(name), "text": text}

    def replacement(match: re.Match[str]) -> str:
        return match[0][0] if match[1] is None else values[match[1]]

    return _FIELD.sub(replacement, template)
