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

    Raises `DataError` when the list is empty, a name is blank or a duplicate, `texts` names an
    unknown class, or `parents` form a cycle.
    """

    names: tuple[str, ...]
    """One readable name per class; a label is an index into this tuple."""
    parents: Mapping[str, str] = field(default_factory=dict)
    """From child to parent. A key is a class name or an inner node (a genus may have a family)."""
    texts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """From class name to sentences that describe the class; templates with `{text}` use these."""
    levels: tuple[str, ...] = ()
    """Names of the levels of the taxonomy, nearest first ("genus", "family"), where known."""

    def __post_init__(self) -> None:
        if not self.names:
            raise DataError("Expected at least one class name, got none.")
        seen: set[str] = set()
        for position, name in enumerate(self.names):
            if not name.strip():
                raise DataError(f"Expected a name for class {position}, got a blank one.")
            if name in seen:
                raise DataError(
                    f"Expected unique class names, got {name!r} twice; remove one of them."
                )
            seen.add(name)
        for name in self.texts:
            if name not in seen:
                raise DataError(
                    f"Texts are given for {name!r}, which is not a class.{closest(name, seen)}"
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
        """The list of these classes, with their parents and texts."""
        texts = {name: self.texts[name] for name in names if name in self.texts}
        return type(self)(tuple(names), self.parents, texts, self.levels)

    def below(self, wanted: str) -> tuple[str, ...]:
        """The classes at or below any of the nodes of the taxonomy in `wanted`, a comma-separated
        list.

        Raises `UsageError` for an unknown node, and where fewer than two classes remain.
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
        if len(found) < 2:
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
        """As plain values that JSON holds; `levels` only where they are known."""
        fields = {
            "names": list(self.names),
            "parents": dict(self.parents),
            "texts": {name: list(texts) for name, texts in self.texts.items()},
        }
        return fields | ({"levels": list(self.levels)} if self.levels else {})

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`.

        Raises `KeyError`, `TypeError`, `AttributeError` or `DataError` for anything else.
        """
        texts = {name: tuple(texts) for name, texts in fields["texts"].items()}
        levels = tuple(fields.get("levels", ()))
        return cls(tuple(fields["names"]), fields["parents"], texts, levels)

    def __len__(self) -> int:
        return len(self.names)

    def __contains__(self, name: object) -> bool:
        return name in self._positions
