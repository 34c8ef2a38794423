"""Text files in whatever encoding people's programs have left them."""

import logging
import os
import re
import unicodedata
from pathlib import Path

from clipfg.data.sources import misspelt, reason
from clipfg.errors import DataError, UsageError

LARGEST = 1 << 29
"""Most bytes of a file that is read at once."""

_log = logging.getLogger(__name__)

_LETTER = r"A-Za-zÀ-ÖØ-öø-ÿŠšŽžŒœŸ"
_WITHIN = r"\x00-\x7f\xa0\xad´·×°ªº®–—‘’…"
_GARBLED = re.compile(
    rf"[\ufffdƒ]|[{_LETTER}][^{_WITHIN}{_LETTER}][{_LETTER}]|[{_LETTER}][À-ÖØ-ÞŠŽŒŸ][a-z]"
    r"|[^\W\d_a-zA-Z]{4}"
)
"""What words of other encodings are in Windows Latin: signs and capitals within them, or hardly a
Latin letter."""


def read_text(path: Path, what: str) -> str:
    """The text of a file, in composed Unicode (NFC). `what` says what it should hold.

    Raises `UsageError` when there is no such file, `DataError` for a folder, a file that cannot be
    read, one that is too large, and one that is not text.
    """
    if os.path.isdir(path):  # noqa: PTH112 - no error for a name that is too long
        raise DataError(f"Expected a file of {what}, got the folder {path}.")
    try:
        if path.stat().st_size > LARGEST:
            raise DataError(f"Expected at most {LARGEST >> 20} MiB of {what}, got more in {path}.")
        data = path.read_bytes()
    except FileNotFoundError:
        raise UsageError(
            f"Expected a file of {what}, but there is none at {path}.{misspelt(path)}"
        ) from None
    except (OSError, ValueError) as error:
        raise DataError(
            f"Expected a readable file of {what} at {path}, got {reason(error)}."
        ) from None
    encoding = encoding_of(data)
    if encoding is None:
        raise DataError(f"Expected a text file of {what}, got a binary file: {path}.")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        if encoding != "utf-8-sig":
            raise DataError(f"Expected a text file of {what}, got a binary file: {path}.") from None
        text = western(data, path)
    return unicodedata.normalize("NFC", text)


def western(data: bytes, path: Path) -> str:
    """The text of a file that is not UTF-8, read as Windows Latin (cp1252), with a warning.

    Raises `DataError` where it would be no words: it is in the encoding of another language or
    system.
    """
    text = data.decode("cp1252", errors="replace")
    if match := _GARBLED.search(text):
        around = re.split(r"[\s,;|\"]+", text[max(0, match.start() - 30) : match.end() + 30])
        seen = next(word for word in around if _GARBLED.search(word))
        raise DataError(
            f"Expected UTF-8, or Windows Latin (cp1252), in {path}, got another encoding:"
            f" {seen!r:.60} is no word; save it as UTF-8."
        )
    _log.warning("%s is not UTF-8; it was read as Windows Latin (cp1252)", path)
    return text


def encoding_of(head: bytes) -> str | None:
    """The encoding of a text that begins like this; None for bytes that are no text.

    Without a byte-order mark, UTF-16 is known by the zero bytes of its Latin letters. What else is
    no UTF-8 is left to the caller.
    """
    if head[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return "utf-16"
    if b"\0" not in head:
        return "utf-8-sig"
    for encoding, zeros in (("utf-16-le", head[1::2]), ("utf-16-be", head[::2])):
        if zeros.count(0) > 0.6 * len(zeros) and zeros.count(0) == head.count(0):
            return encoding
    return None


def lines_of(text: str) -> list[str]:
    """The lines of a text. Not `splitlines`, which also cuts at marks that a name may contain."""
    return re.split(r"\r\n|\n|\r", text)
