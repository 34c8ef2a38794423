"""An open table of images, of whatever format."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True)
class TableFile:
    """An open table: its columns, some values of each, and how to read them."""

    kind: str
    """`"CSV"`, ..."""
    columns: tuple[str, ...]
    """Unique names, stripped; `#0` for the first where it has none."""
    sample: Mapping[str, Sequence[str]]
    read: Callable[[Mapping[str, str]], pa.Table]
    """The columns of a mapping from ours to the table's: text, or what `cells.STRUCTURED` says."""
    headless: bool = False
    image: str | None = None
    """The column that holds the images themselves, where there is one."""
    label: str | None = None
    """The column whose numbers index `class_names`."""
    class_names: tuple[str, ...] = ()
    media: str = ""
    """The file that names the pictures, where it is another."""


def unique(columns: Sequence[str]) -> tuple[str, ...]:
    """Names with repetitions and blanks made distinct: `#0` for a first column without one."""
    first = {name: i for i, name in reversed([*enumerate(columns)])}
    return tuple(n if n and first[n] == i else f"{n}#{i}" for i, n in enumerate(columns))


def sampled(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> dict[str, list[str]]:
    """The values of each column in some rows, those that are cut short left out."""
    wide = [row for row in rows if len(row) >= len(columns)]
    return {column: [row[i] for row in wide] for i, column in enumerate(columns)}
