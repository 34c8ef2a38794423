"""Members of a tar archive as URIs: `tar:/data/shard.tar?offset=1536&size=20480#0001.jpg`.

A member is read in place, by its offset. Nothing is unpacked, so no member can leave its archive
whatever its name says.
"""

import os
import re
from pathlib import Path
from urllib.parse import quote, unquote

from clipfg.data.sources import ByteSource, Signature, shown, stat_file
from clipfg.errors import ItemError

_URI = re.compile(r"tar:([^?#]+)\?offset=(\d{1,18})&size=(\d{1,18})#", re.IGNORECASE)


def member_uri(archive: Path, offset: int, size: int, name: str) -> str:
    """The URI of the `size` bytes at `offset` of `archive`, named `name` there."""
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
    length = stat_file(path, largest=None)[0]
    if offset + size > length:
        raise ItemError(
            f"Expected {size} bytes at {offset} of {shown(path)}, but it ends at {length}."
        )
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            file.seek(offset)
            return file.read(size)
    except OSError as error:
        raise ItemError(f"Could not read {shown(path)}: {error.strerror}.") from None


def signature(uri: str) -> Signature:
    """That of the archive; the member's place in it is part of the URI."""
    return stat_file(_parse(uri)[0], largest=None)


MEMBERS = ByteSource(read=read, signature=signature)
