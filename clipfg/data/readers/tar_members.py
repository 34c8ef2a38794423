"""Members of a tar archive as URIs: `tar:/data/shard.tar?offset=1536&size=20480#0001.jpg`.

A member is read where it lies, by its offset. Nothing is unpacked, so no member can leave its
archive whatever its name says.
"""

import os
import re
from pathlib import Path
from urllib.parse import quote, unquote

from clipfg.data.sources import ByteSource, Signature, shown, stat_file
from clipfg.errors import ItemError

_URI = re.compile(r"tar:([^?#]+)\?offset=(\d{1,18})&size=(\d{1,18})#", re.IGNORECASE)


def member_uri(archive: Path, offset: int, size: int, name: str) -> str:
    """The URI of the `size` bytes at `offset` of `archive`, called `name` there."""
    return f"tar:{quote(os.fsencode(archive))}?offset={offset}&size={size}#{name}"


def _parse(uri: str) -> tuple[str, int, int]:
    match = _URI.match(uri)
    if match is None:
        raise ItemError(f"Expected tar:PATH?offset=N&size=N#NAME, got {uri!r}.")
    path = unquote(match[1], errors="surrogateescape")
    return path, int(match[2]), int(match[3])


def read(uri: str) -> bytes:
    """The bytes of one member. Raises `ItemError` when the archive is missing or too short."""
    path, offset, size = _parse(uri)
    length, _ = _archive(path)
    if offset + size > length:
        raise ItemError(
            f"Expected {size} bytes at {offset}, but the archive ends at {length}: {shown(path)}"
        )
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            file.seek(offset)
            return file.read(size)
    except OSError as error:
        raise ItemError(f"Could not read {shown(path)}: {error.strerror}") from None


def _archive(path: str) -> Signature:
    """Size and time of the archive, which may be as long as it likes."""
    try:
        found = os.stat(path)  # noqa: PTH116
    except (OSError, ValueError):
        return stat_file(path)  # says what is wrong
    return found.st_size, found.st_mtime_ns


def signature(uri: str) -> Signature:
    """Size and time of the archive; the member's place in it is part of the URI."""
    return _archive(_parse(uri)[0])


MEMBERS = ByteSource(read=read, signature=signature)
