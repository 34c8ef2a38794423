"""Sentence templates, and the sentences that they make of a class name.

Three placeholders: `{}` is the class name, `{a}` the name with its article ("an albatross"),
`{text}` each sentence known about the class. `{{` and `}}` are literal braces.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from clipfg.errors import DataError
from clipfg.prompting.articles import with_article

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
    note
        What a reader of figures that were made with it must know, or nothing.
    also
        Sets whose sentences follow its own: `birds+cub200` is `birds`, and also `cub200`.

    Raises `DataError` for no templates, one without a placeholder or with an unknown one, and
    descriptions that no template uses.
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
        return any(map(asks_for_text, self.templates)) or any(s.uses_texts for s in self.also)

    @property
    def notes(self) -> tuple[str, ...]:
        """The notes of this set and of those that it is joined with."""
        own = (self.note,) if self.note else ()
        return own + tuple(note for other in self.also for note in other.notes)

    @cached_property
    def _described(self) -> dict[str, tuple[str, ...]]:
        joined: dict[str, tuple[str, ...]] = {}
        for name, sentences in self.descriptions.items():
            joined[loose(name)] = joined.get(loose(name), ()) + tuple(sentences)
        return joined

    def texts_of(self, class_name: str, texts: Sequence[str] = ()) -> tuple[str, ...]:
        """All that is known of a class: its own `texts`, then every joined set's descriptions."""
        found = [*texts, *self._described.get(loose(class_name), ())]
        for other in self.also:
            found += other.texts_of(class_name)
        return tuple(dict.fromkeys(found))

    def numbered(self, class_name: str, texts: Sequence[str] = ()) -> list[tuple[int, str]]:
        """The sentences for one class, each with the position of its template.

        Positions run on through the joined sets. The list is empty where every template asks for
        a text and the class has none.
        """
        name = readable(class_name)
        known = (*texts, *self._described.get(loose(class_name), ()))
        sentences: list[tuple[int, str]] = []
        for position, template in enumerate(self.templates):
            fill = known if asks_for_text(template) else ("",)
            sentences += ((position, _fill(template, name, text)) for text in fill)
        offset = len(self.templates)
        for other in self.also:
            sentences += ((offset + p, s) for p, s in other.numbered(class_name, texts))
            offset += other.size
        return sentences

    @property
    def size(self) -> int:
        """How many templates there are, joined sets included."""
        return len(self.templates) + sum(other.size for other in self.also)

    def render(self, class_name: str, texts: Sequence[str] = ()) -> tuple[str, ...]:
        """The sentences for one class, template by template.

        `texts` are the class's own (`ClassList.texts`); those of `descriptions` follow them.
        Underscores in the name read as spaces. Raises `DataError` when every template asks for
        a text and the class has none.
        """
        sentences = self.numbered(class_name, texts)
        if not sentences:
            raise DataError(
                f"Prompt set {self.name!r} is made of the classes' texts alone, and {class_name!r}"
                " has none; give it one or choose another set, such as 'general'."
            )
        return tuple(sentence for _, sentence in sentences)


def readable(class_name: str) -> str:
    """A class name as prose has it: underscores and runs of white space are one space."""
    return " ".join(class_name.replace("_", " ").split()) or class_name


def loose(class_name: str) -> str:
    """A class name as descriptions are looked up: no case, accents, punctuation or possessive.

    "Red-winged_Blackbird" is "red winged blackbird", and "Brewer's Sparrow" "brewer sparrow".
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
    """One pass over the template, so that braces in a name or a text stay what they are."""
    values: dict[str, Callable[[], str]] = {
        "": lambda: name,
        "a": lambda: with_article(name),
        "text": lambda: text,
    }

    def replacement(match: re.Match[str]) -> str:
        return match[0][0] if match[1] is None else values[match[1]]()

    return _FIELD.sub(replacement, template)
