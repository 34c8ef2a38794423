"""Names as text that steers neither a terminal, nor a log, nor a spreadsheet."""

import re

CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Escapes of terminals, breaks of lines, and marks that turn the direction of writing."""
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a cell begins with that a spreadsheet computes."""


def printable(text: str) -> str:
    r"""A text with its control characters written as escapes, `\\x1b` for one."""
    return CONTROLS.sub(lambda found: ascii(found[0])[1:-1], text)


def printable_lines(text: str) -> str:
    """As `printable`; the lines after the first are indented, so that none looks like a message."""
    return "\n    ".join(map(printable, text.split("\n")))


def storable(text: str) -> str:
    r"""A text with escapes for the halves of characters in it, since UTF-8 has no code for them.

    Names of files whose bytes are no UTF-8 have such halves, and so has `"\ud800"` in JSON.
    """
    return text.encode("utf-8", "backslashreplace").decode()


def as_cell(text: str) -> str:
    """A text as a cell of a spreadsheet, with an apostrophe before what would be a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text


def from_cell(text: str) -> str:
    """The inverse of `as_cell`."""
    return text[1:] if text[:1] == "'" and text[1:].startswith(FORMULA) else text
