"""JSON of any length read an entry at a time, in the memory of one entry.

Annotation files are an object with long lists in it (COCO), a long list (Label Studio), or a long
object (a map from pictures to labels). All three are walked one level deep.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clipfg.data.sources import reason
from clipfg.errors import DataError

CHUNK = 1 << 20
"""Characters read at once."""

LARGEST = 1 << 28
"""Characters that one entry may have: a picture inside a LabelMe file has some ten million."""

_AFTER = frozenset(" \t\n\r,:]}")
_SPACE = re.compile(r"[ \t\n\r]*")


def entries(path: Path) -> Iterator[tuple[str | None, Any]]:
    """The entries of a JSON file in order: `(key, value)`.

    Of a list, each element under the key None. Of an object, each value under its key, and where a
    value is a list each element of it under that key (an empty list gives nothing).

    Raises `DataError` for a file that cannot be read, is no JSON, nests too deeply, or has an entry
    of more than `LARGEST` characters.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            yield from _Walk(file.read).entries()
    except OSError as error:
        raise DataError(f"Expected a readable file at {path}, got {reason(error)}.") from None
    except UnicodeDecodeError:
        raise DataError(f"Expected JSON in UTF-8 in {path}, got another encoding.") from None
    except RecursionError:
        raise DataError(f"Expected annotations in {path}, got too deeply nested JSON.") from None
    except ValueError as error:
        raise DataError(f"Expected JSON in {path}, got {reason(error)}.") from None


class _Walk:
    """A window on the text of a JSON file; raises `ValueError` for what is no JSON."""

    def __init__(self, read: Any) -> None:
        self._read = read
        self._decode = json.JSONDecoder().raw_decode
        self._text = ""
        self._at = 0
        self._ended = False

    def entries(self) -> Iterator[tuple[str | None, Any]]:
        opening = self._next()
        if opening not in ("[", "{"):
            raise ValueError("neither a list nor an object")
        self._at += 1
        if opening == "[":
            yield from ((None, value) for value in self._elements())
        else:
            yield from self._members()
        if self._next():
            raise ValueError("text after its end")

    def _members(self) -> Iterator[tuple[str, Any]]:
        while self._next() != "}":
            key = self._value()
            if not isinstance(key, str) or self._next() != ":":
                raise ValueError("an object without keys")
            self._at += 1
            if self._next() == "[":
                self._at += 1
                yield from ((key, value) for value in self._elements())
            else:
                yield key, self._value()
            self._separate("}")
        self._at += 1

    def _elements(self) -> Iterator[Any]:
        while self._next() != "]":
            yield self._value()
            self._separate("]")
        self._at += 1

    def _separate(self, closing: str) -> None:
        mark = self._next()
        if mark == ",":
            self._at += 1
            if self._next() == closing:
                raise ValueError("a comma before the end of a list or object")
        elif mark != closing:
            raise ValueError("an incomplete file" if not mark else f"{mark!r} after an entry")

    def _next(self) -> str:
        """The next character that is no space, empty at the end."""
        while True:
            match = _SPACE.match(self._text, self._at)
            self._at = match.end() if match else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def _value(self) -> Any:
        while True:
            try:
                value, end = self._decode(self._text, self._at)
            except ValueError:
                if not self._more():
                    raise
                continue
            # A number may go on in the next chunk: a value is whole once its end can be seen.
            if self._text[end : end + 1] in _AFTER or not self._more():
                self._at = end
                return value

    def _more(self) -> bool:
        """Append the next chunk, dropping what is behind; twice as much where an entry is long."""
        rest = self._text[self._at :]
        if len(rest) > LARGEST:
            raise ValueError(f"an entry of more than {LARGEST >> 20} million characters")
        chunk = "" if self._ended else self._read(max(CHUNK, len(rest)))
        self._ended = not chunk
        self._text, self._at = rest + chunk, 0
        return bool(chunk)
