"""Class names in order, with a taxonomy and descriptions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

from clipfg.errors import DataError, UsageError
from clipfg.registry import closest

UNLABELLED = -1
"""The label of an item whose class is unknown."""


@dataclass(frozen=True)
class ClassList:
    """Class names in order, with an optional taxonomy and optional descriptions.

    Raises `DataError` when the list is empty, a name is blank or a duplicate, there are not as many
    `ids` as names or one occurs twice, `texts` or `synonyms` name an unknown class, or `parents`
    form a cycle.
    """

    names: tuple[str, ...]
    """One readable name per class; a label is an index into this tuple."""
    parents: Mapping[str, str] = field(default_factory=dict)
    """From child to parent. A key is a class name or an inner node (a genus may have a family)."""
    texts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """From class name to sentences that describe the class; templates with `{text}` use these."""
    levels: tuple[str, ...] = ()
    """Names of the levels of the taxonomy, nearest first ("genus", "family"), where known."""
    ids: tuple[str, ...] = ()
    """What the source calls each class beside its name: a number, a code, a synset; or empty.
    Identities, never an order: classes 1, 2 and 4 are no classes 0, 1 and 2."""
    synonyms: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """From a kind of name ("scientific_name", "de") to the class names and what each is called."""
    silent: tuple[str, ...] = ()
    """Kinds of `synonyms` by which labels are matched, and of which no texts are made."""

    def __post_init__(self) -> None:
        if not self.names:
            raise DataError("Expected at least one class name, got none.")
        seen: set[str] = set()
        for position, name in enumerate(self.names):
            if not name.strip():
                raise DataError(f"Expected a name for class {position}, got a blank one.")
            if name in seen:
                raise DataError(
                    f"Expected unique class names, got {name!r:.80} twice; remove one of them."
                )
            seen.add(name)
        if self.ids and not len(self.names) == len(self.ids) == len(set(self.ids)):
            raise DataError(
                f"Expected an id of its own for each of {len(self)} classes, got"
                f" {len(set(self.ids))} different ones."
            )
        for name in [*self.texts, *(name for names in self.synonyms.values() for name in names)]:
            if name not in seen:
                raise DataError(
                    f"Texts or other names are given for {name!r:.80}, which is not a class."
                    f"{closest(name, seen)}"
                )
        for name in self.names:
            self.lineage(name)

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {name: position for position, name in enumerate(self.names)}

    def index(self, name: str) -> int:
        """The label of `name`. Raises `DataError` for a name outside the list."""
        if name not in self:
            raise DataError(
                f"Expected one of {len(self)} class names, got {name!r}."
                f"{closest(name, self.names)} Add it to the class list or correct the label."
            )
        return self._positions[name]

    def lineage(self, name: str) -> tuple[str, ...]:
        """The ancestors of `name`, nearest first: species -> (genus, family)."""
        above: list[str] = []
        while (parent := self.parents.get(name)) is not None:
            if parent in above:
                raise DataError(f"The taxonomy has a cycle at {parent!r}; correct its parents.")
            above.append(parent)
            name = parent
        return tuple(above)

    def only(self, names: Sequence[str]) -> Self:
        """The list of these classes, with all that is known of them."""
        texts = {name: self.texts[name] for name in names if name in self.texts}
        ids = tuple(self.ids[self.index(name)] for name in names) if self.ids else ()
        synonyms = {
            kind: {name: others[name] for name in names if name in others}
            for kind, others in self.synonyms.items()
        }
        known = (self.levels, ids, synonyms, self.silent)
        return type(self)(tuple(names), self.parents, texts, *known)

    def below(self, wanted: str, least: int = 2) -> tuple[str, ...]:
        """The classes at or below any of the nodes of the taxonomy in `wanted`, a comma-separated
        list.

        Raises `UsageError` for an unknown node, and where fewer than `least` classes remain.
        """
        above = {name: {name, *self.lineage(name)} for name in self.names}
        nodes = set().union(*above.values())
        parts = [part.strip() for part in wanted.split(",")]
        asked = {wanted} if wanted in nodes else {part for part in parts if part}
        for node in sorted(asked - nodes):
            raise UsageError(
                f"Expected a class or a group of classes, got {node!r}."
                f"{closest(node, nodes) or self._some_groups()}"
            )
        found = tuple(name for name in self.names if above[name] & asked)
        if len(found) < least:
            raise UsageError(
                f"Expected at least two classes to distinguish, got {', '.join(found) or 'none'}"
                f" within {wanted!r}."
            )
        return found

    def _some_groups(self) -> str:
        tops = dict.fromkeys(above[-1] for name in self.names if (above := self.lineage(name)))
        if not tops:
            return " These classes have no groups, since none has a parent."
        listed = ", ".join(list(tops)[:5]) + (", ..." if len(tops) > 5 else "")
        return f" The broadest groups are {listed}."

    def to_dict(self) -> dict[str, Any]:
        """As plain values that JSON holds; levels, ids and synonyms only where they are known."""
        fields = {
            "names": list(self.names),
            "parents": dict(self.parents),
            "texts": {name: list(texts) for name, texts in self.texts.items()},
        }
        known: dict[str, Any] = {
            "levels": list(self.levels),
            "ids": list(self.ids),
            "synonyms": {kind: dict(names) for kind, names in self.synonyms.items()},
            "silent": list(self.silent),
        }
        return fields | {key: value for key, value in known.items() if value}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`.

        Raises `KeyError`, `TypeError`, `AttributeError` or `DataError` for anything else.
        """
        texts = {name: tuple(texts) for name, texts in fields["texts"].items()}
        levels, ids = tuple(fields.get("levels", ())), tuple(fields.get("ids", ()))
        synonyms = {kind: dict(names) for kind, names in fields.get("synonyms", {}).items()}
        silent = tuple(fields.get("silent", ()))
        return cls(tuple(fields["names"]), fields["parents"], texts, levels, ids, synonyms, silent)

    def __len__(self) -> int:
        return len(self.names)

    def __contains__(self, name: object) -> bool:
        return name in self._positions
