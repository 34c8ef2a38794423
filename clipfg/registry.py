"""Named parts: encoders, data sets, heads and everything else that a user calls by name.

A part is registered as `"module:attribute"` with a one-line summary, so that listing the names
imports nothing and a new part is one file and one line. Other packages add theirs by entry points
(group `clipfg.heads`, `clipfg.datasets`, ...). Registering a name twice raises.
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
    """A table from names to parts, which are imported on first use.

    `kind` is the singular noun used in messages ("head"); `group` is the entry-point group that
    plug-ins use. Raises `ValueError` when a name is registered twice, `UsageError` when an
    unknown name is requested.
    """

    def __init__(self, kind: str, group: str) -> None:
        self.kind = kind
        self.group = group
        self._targets: dict[str, str] = {}
        self._summaries: dict[str, str] = {}
        self._plugins_read = False

    def register(self, name: str, target: str, summary: str = "") -> None:
        """Add `name`; `target` is `"package.module:attribute"`, `summary` what a listing shows."""
        if name in self._targets:
            raise ValueError(f"{self.kind} {name!r} is registered twice")
        self._targets[name] = target
        self._summaries[name] = summary

    def register_all(self, package: str, *parts: tuple[str, str, str]) -> None:
        """Add parts of a package: names, `"module:attribute"` within it, and summaries."""
        for name, target, summary in parts:
            self.register(name, f"{package}.{target}", summary)

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

    def summary(self, name: str) -> str:
        """One line on what `name` is good for; of a plug-in, the first line of its docstring."""
        if name not in self or not self._summaries[name]:
            return (self.get(name).__doc__ or "").strip().partition("\n")[0]
        return self._summaries[name]

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
