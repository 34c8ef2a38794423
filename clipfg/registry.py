"""Named parts: encoders, data sets, heads and all else that a user calls by name.

A part is registered where it is written, as `"module:attribute"`, so that a listing costs no
import and a new part is one file and one line. Packages of others add theirs by entry points
(group `clipfg.heads`, `clipfg.datasets`, ...). A name registered twice raises.
"""

import difflib
from collections.abc import Iterable, Iterator
from importlib import import_module
from importlib.metadata import entry_points
from typing import Generic, TypeVar, cast

from clipfg.errors import UsageError

T = TypeVar("T")


def closest(name: str, names: Iterable[str]) -> str:
    """A hint for a misspelt name: `" Did you mean 'x'?"`, or nothing when none is near."""
    near = difflib.get_close_matches(name, list(names), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


class Registry(Generic[T]):
    """A table from names to parts that are imported when they are first asked for.

    `kind` is the singular noun used in messages ("head"); `group` is the entry-point group that
    plug-ins use. Raises `ValueError` when a name is registered twice, `UsageError` when an
    unknown name is asked for.
    """

    def __init__(self, kind: str, group: str) -> None:
        self.kind = kind
        self.group = group
        self._targets: dict[str, str] = {}
        self._plugins_read = False

    def register(self, name: str, target: str) -> None:
        """Add `name`; `target` is `"package.module:attribute"`."""
        if name in self._targets:
            raise ValueError(f"{self.kind} {name!r} is registered twice")
        self._targets[name] = target

    def get(self, name: str) -> T:
        """The part called `name`, imported now. Raises `UsageError` for an unknown name."""
        targets = self._read_plugins()
        if name not in targets:
            raise UsageError(
                f"Expected the name of a {self.kind}, got {name!r}.{closest(name, targets)}"
                f" Known: {', '.join(sorted(targets))}."
            )
        module, _, attribute = targets[name].partition(":")
        return cast(T, getattr(import_module(module), attribute))

    def _read_plugins(self) -> dict[str, str]:
        if not self._plugins_read:
            self._plugins_read = True
            for entry in entry_points(group=self.group):
                self.register(entry.name, entry.value)
        return self._targets

    def __contains__(self, name: object) -> bool:
        return name in self._read_plugins()

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._read_plugins()))

    def __len__(self) -> int:
        return len(self._read_plugins())
