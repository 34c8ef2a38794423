"""Tables for a terminal of any width: names wrap, numbers are never cut.

Columns of numbers that do not fit beside the names go into a further table below.
"""

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from clipfg.printable import printable

GAP = 2
"""Spaces between two columns."""
NARROWEST = 24
"""The width that a column of names keeps at least, where its names are that long."""

Row = Sequence[str | Text]


def table(
    names: Sequence[str], numbers: Sequence[str], rows: Sequence[Row], width: int
) -> RenderableType:
    """A table without lines in a terminal of `width` columns.

    `names` and `numbers` are the headings of the columns on the left, which wrap, and of those on
    the right; each of `rows` has a cell for each heading.
    """
    own = len(names)
    columns = zip((*names, *numbers), *rows, strict=True)
    widths = [max(cell_len(str(cell)) for cell in column) for column in columns]
    room = width - sum(min(wide, NARROWEST) + GAP for wide in widths[:own])
    blocks: list[RenderableType] = []
    for start, stop in _blocks(widths[own:], room):
        part = [(*row[:own], *row[own + start : own + stop]) for row in rows]
        blocks += [Text(), _block(names, numbers[start:stop], part)]
    return Group(*blocks[1:])


def _blocks(widths: Sequence[int], room: int) -> list[tuple[int, int]]:
    """Runs of columns that fit into `room`, at least one column each."""
    blocks: list[tuple[int, int]] = []
    start = taken = 0
    for place, wide in enumerate(widths):
        if place > start and taken + wide > room:
            blocks.append((start, place))
            start, taken = place, 0
        taken += wide + GAP
    return [*blocks, (start, len(widths))]


def _block(names: Sequence[str], numbers: Sequence[str], rows: Sequence[Row]) -> Table:
    block = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="dim")
    for name in names:
        block.add_column(Text(name), overflow="fold")
    for number in numbers:
        block.add_column(number, justify="right", no_wrap=True)
    for row in rows:
        block.add_row(*(Text(printable(cell)) if isinstance(cell, str) else cell for cell in row))
    return block
