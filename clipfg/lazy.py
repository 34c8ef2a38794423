"""Packages whose public names are imported when they are first asked for.

A command imports what it uses: torch alone takes longer than everything that a cached run does.
"""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def exported(
    package: str, homes: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """A package's `__getattr__` and `__dir__`, from its public names to the modules of each."""

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{homes[name]}"), name)

    return get, lambda: sorted({*vars(sys.modules[package]), *homes})
