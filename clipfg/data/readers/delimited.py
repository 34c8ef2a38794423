"""Delimited text as spreadsheets and programs write it: CSV, TSV and their like.

Every table goes through here, of pictures, of classes and of ids: what stands before the header
(blank lines, Excel's `sep=;`), the delimiter, a column of row numbers without a name, as R and
pandas write it, and rows that end in a delimiter.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from clipfg.data.readers.text import lines_of
from clipfg.errors import DataError

DELIMITERS = ",;\t"
SAMPLE = 200
"""Rows by which a table is understood before it is read."""

_ENDS = re.compile(r"\.[A-Za-z]{3,4}\W*$")
"""What a picture's name ends in."""

csv.field_size_limit(1 << 24)


@dataclass(frozen=True)
class Dialect:
    """How a delimited text is laid out."""

    delimiter: str
    skipped: int
    """Lines before the first row, which is the header if there is one."""
    first: tuple[str, ...]
    """The cells of the first row, with a blank one for each that it lacks."""
    sample: tuple[tuple[str, ...], ...]
    """The cells of some rows below it."""


def dialect_of(text: str, delimiter: str | None = None) -> Dialect:
    """The layout of a text, or of its beginning. Raises `DataError` where there is no row."""
    lines = lines_of(text)
    start = 0
    for start, line in enumerate(lines):
        if line[:4].lower() == "sep=" and len(line) == 5:
            delimiter = line[4]
        elif line.strip(' \t;,"') and not _is_title(line, lines[start + 1 : start + 6]):
            break
    else:
        raise DataError("Expected a header, with a column named path or name, got no rows.")
    header = lines[start]
    delimiter = delimiter or max(DELIMITERS + "|", key=header.count)  # the first of equals
    rows: list[tuple[str, ...]] = []
    reader = csv.reader(io.StringIO("\n".join(lines[start:]), newline=""), delimiter=delimiter)
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append(tuple(cell.strip() for cell in row))
            if len(rows) > SAMPLE:
                break
    except csv.Error:
        pass  # the sample ends here; whoever reads all of the table says what is wrong
    first, sample = rows[0] if rows else (header.strip(),), rows[1:]
    if sample and {len(row) for row in sample} == {len(first) + 1}:
        if not any(row[-1] for row in sample):
            first = (*first, "")
        elif all(row[0].isdecimal() for row in sample):
            first = ("", *first)
    return Dialect(delimiter, start, first, tuple(sample))


def _is_title(line: str, below: list[str]) -> bool:
    """Whether a line stands above the header: a remark, or one cell of a row of several."""
    following = next((one for one in below if one.strip(' \t;,"') and one[0] != "#"), "")
    fewer = all(line.count(mark) <= following.count(mark) for mark in DELIMITERS)
    if line.startswith("#"):
        return fewer and any(line.count(m) < following.count(m) for m in DELIMITERS)
    cells = re.split(f"[{DELIMITERS}]", line)
    filled = [cell for cell in cells if cell.strip(' "')]
    titled = len(filled) == 1 and cells[0] and re.search(r"\s|\d", cells[0].strip()) is not None
    parts = [cell for cell in re.split(f"[{DELIMITERS}]", following) if cell.strip(' "')]
    return len(cells) > 1 and bool(titled) and len(parts) > 1 and not _ENDS.search(cells[0])


def rows_of(text: str, dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
    """Every row that is not blank, the first too: the line where it begins, and its cells.

    Raises `DataError` for a text that is no CSV.
    """
    if text.count('"') % 2:
        ended = (f"{line}\n" for line in lines_of(text))
        check_quotes(ended, dialect.delimiter, dialect.skipped)
    body = "\n".join(lines_of(text)[dialect.skipped :])
    reader = csv.reader(io.StringIO(body, newline=""), delimiter=dialect.delimiter)
    begun = 0
    try:
        for row in reader:
            line, begun = dialect.skipped + begun + 1, reader.line_num
            if any(cell.strip() for cell in row):
                yield line, row
    except csv.Error as error:
        line = dialect.skipped + reader.line_num
        raise DataError(f"Expected a CSV, got {error} in line {line}.") from None


def check_quotes(lines: Iterable[str], delimiter: str, skipped: int = 0) -> None:
    """Raises `DataError` where a quote opens and is not closed: it swallows all rows after it.

    `lines` have their ends. A quote within a line, as in `5" nail`, is no fault.
    """
    reader = csv.reader(islice(lines, skipped, None), delimiter=delimiter, strict=True)
    begun = 0
    try:
        for _ in reader:
            begun = reader.line_num
    except csv.Error as error:
        if reader.line_num > begun + 1:
            raise DataError(
                f"Expected a quote to be closed, got one that is not from line"
                f" {skipped + begun + 1} on ({error}); close it, or double quotes within a value."
            ) from None


def check_closed(cell: str, line: int) -> str:
    """A cell that holds a name, a path or a label. Raises `DataError` for one of several lines.

    A quote that is not closed swallows the lines after it.
    """
    if "\n" in cell.strip():
        raise DataError(
            f"Expected a value on one line, got {cell.strip()!r:.60} in line {line}; is a quote not"
            " closed?"
        )
    return cell.strip()
