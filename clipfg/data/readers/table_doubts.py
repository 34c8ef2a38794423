"""Columns of a table that are not read, though they may say the classes or name the pictures."""

import re

from clipfg.data.readers.codes import are_codes
from clipfg.data.readers.labels import plain
from clipfg.data.readers.table_columns import TableColumns
from clipfg.data.readers.table_formats.base import TableFile
from clipfg.types import Role

_GUESS = re.compile(r"pred|guess|suggest|model|top_?\d|second|old|previous", re.IGNORECASE)
"""Columns of other answers, which nobody takes for the labels."""
_MADE = re.compile(r"mask|segm|depth|thumb|annot|label", re.IGNORECASE)


def other_labels(table: TableFile, columns: TableColumns, roles: list[Role]) -> list[str]:
    """A doubt for a column that has the same classes in other rows, or divides them.

    `roles` say which columns are read.
    """
    told = {role.part.removeprefix("column ") for role in roles}
    main = next((r.part.removeprefix("column ") for r in roles if r.meaning == "class"), "")
    told |= {*columns.paths[:1], *columns.carried.values(), *columns.ranks.values()}
    others = [c for c in table.columns if c not in told and c != columns.split]
    if table.headless and any(len({*table.sample[c]} - {""}) > 1 for c in others if c not in told):
        place = 1 + table.columns.index(main) if main in table.columns else 2
        return [
            f"The table has no header, and its column {place} was taken for the class; write one."
        ]
    for column in others if main in table.sample else ():
        rows = zip(table.sample[main], table.sample[column], strict=True)
        pairs = [(plain(own), plain(other)) for own, other in rows if own and other]
        ours, theirs = {own for own, _ in pairs}, {other for _, other in pairs}
        if len(theirs) < 2 or are_codes(theirs) or _GUESS.search(column):
            continue
        differ = sum(own != other for own, other in pairs)
        what = ""
        if theirs <= ours and differ:
            what = f"has the classes of column {main}, but others in {differ} of {len(pairs)} rows"
        elif column in columns.labels and len(ours) < len(theirs) <= len(pairs) / 2:
            what = f"divides the classes of column {main}" if len({*pairs}) == len(theirs) else ""
        if what:
            return [f"Column {column} {what}; --label-column {column} takes that one."]
    return []


def naming(table: TableFile, names: set[str]) -> str | None:
    """The column that names some pictures, and not as masks of others."""
    for column, values in table.sample.items():
        if not _MADE.search(column) and any(
            re.split(r"[\\/]", value)[-1] in names for value in values
        ):
            return column
    return None
