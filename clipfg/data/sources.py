"""Where the bytes behind a URI come from, by scheme.

A URI is a plain absolute path, or `scheme:...`. A scheme is one `ByteSource`: how to read, and a
cheap identity that changes when the bytes do. Plug-ins add schemes by entry points in the group
`clipfg.sources`.
"""

import os
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

from clipfg.errors import ItemError
from clipfg.registry import Registry, closest

LARGEST = 1 << 30
"""Bytes that one image may have on disk; a longer file is no image."""

Signature = tuple[int, ...]
"""Size in bytes, time of the last change in nanoseconds and, of a file, that of its entry's change:
what is copied over a file can bring its own time, but no change hides from the entry."""


@dataclass(frozen=True)
class ByteSource:
    """How the URIs of one scheme are read; both functions raise `ItemError`.

    `signature` is had without reading the bytes: together with the URI it says whether the bytes
    read before are still current.
    """

    read: Callable[[str], bytes]
    signature: Callable[[str], Signature]


SOURCES: Registry[ByteSource] = Registry("URI scheme", "clipfg.sources")
SOURCES.register("file", "clipfg.data.sources:FILE_URIS", "Files on disk")
SOURCES.register("tar", "clipfg.data.readers.tar_members:MEMBERS", "Members of tar archives")
SOURCES.register("arrow", "clipfg.data.readers.embedded_images:ARROW", "Images inside Arrow files")
SOURCES.register(
    "parquet", "clipfg.data.readers.embedded_images:PARQUET", "Images inside Parquet files"
)
SOURCES.register("tile", "clipfg.data.slides.tiles:TILES", "Tiles of large pictures")
SOURCES.register("synthflora", "clipfg.data.synthflora:DRAWN", "Flowers drawn on demand")

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")  # two letters or more: C:\ is a drive


def scheme_of(uri: str) -> str | None:
    """The scheme of `uri`, in lower case, or None for a path."""
    if uri.startswith("/"):
        return None
    match = _SCHEME.match(uri)
    return match[1].lower() if match else None


def read(uri: str) -> bytes:
    """The bytes of the image at `uri`. Raises `ItemError` when they cannot be read."""
    return _source(uri).read(uri)


def signature(uri: str) -> Signature:
    """A cheap identity of what `uri` holds now; nothing is read or drawn.

    Equal signatures of one URI mean equal bytes, except for a file rewritten with the same length
    within one tick of its clock. Raises `ItemError` when there is nothing at `uri`.
    """
    return _source(uri).signature(uri)


def _source(uri: str) -> ByteSource:
    scheme = scheme_of(uri)
    if scheme is None:
        return PATHS
    if scheme not in SOURCES:
        known = ", ".join(f"{name}:" for name in SOURCES)
        raise ItemError(
            f"Expected a file's path or one of {known}, got {uri!r}; download the image first."
        )
    return SOURCES.get(scheme)


def stat_file(path: str | bytes, largest: int | None = LARGEST) -> Signature:
    """Size and modification time of a plain file of at most `largest` bytes.

    Raises `ItemError` for anything else.
    """
    try:
        found = os.stat(path)  # noqa: PTH116 - a Path for each of a million rows costs seconds
    except (OSError, ValueError) as error:
        raise ItemError(_reason(path, error)) from None
    if not stat.S_ISREG(found.st_mode):
        what = "a folder" if stat.S_ISDIR(found.st_mode) else "a device or pipe"
        raise ItemError(f"Expected an image at {shown(path)}, got {what}.")
    if largest is not None and found.st_size > largest:
        raise ItemError(
            f"Expected an image of at most {largest >> 20} MiB at {shown(path)}, got"
            f" {found.st_size >> 20} MiB."
        )
    return signature_of(found)


def signature_of(found: os.stat_result) -> Signature:
    """The signature of a file from what the system says of it.

    Renaming a file or changing its rights makes another one. On Windows, where an entry has the
    time of its creation, a change that restores size and time goes unseen.
    """
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns


def read_file(path: str | bytes) -> bytes:
    """All bytes of a plain file. Raises `ItemError` when it is missing, not a file or too long."""
    stat_file(path)  # before opening: opening a pipe would block
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            return file.read()
    except (OSError, ValueError) as error:
        raise ItemError(_reason(path, error)) from None


def _reason(path: str | bytes, error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        link = os.path.islink(path)  # noqa: PTH114
        what = "the link there is broken" if link else "there is none"
        return f"Expected a file at {shown(path)}, but {what}."
    if isinstance(error, PermissionError):
        return f"Expected a readable file at {shown(path)}, but permission is denied."
    return f"Expected a readable file at {shown(path)}, got {reason(error)!r}."


def reason(error: Exception) -> str:
    """What an error says, in one line without a full stop; the system's words for an `OSError`."""
    text = getattr(error, "strerror", None) or str(error)
    return " ".join(text.split()).rstrip(".") or type(error).__name__


def misspelt(path: Path) -> str:
    """A hint at a neighbour with a name like that of a path that does not exist, or nothing."""
    folder = path.parent
    return closest(path.name, [p.name for p in folder.iterdir()]) if folder.is_dir() else ""


def shown(path: str | bytes) -> str:
    """`path` as text that can be printed and stored, whatever bytes its name is made of."""
    return _bytes(path).decode(errors="backslashreplace")


def file_uri(path: str) -> str:
    """The URI of a path: itself, or `file:` with escapes where its name is not valid Unicode."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return "file://" + quote(_bytes(path))
    return path


def _bytes(path: str | bytes) -> bytes:
    try:
        return os.fsencode(path)
    except UnicodeEncodeError:  # half a character that no file's name has
        return str(path).encode(errors="backslashreplace")


def _unquoted(uri: str) -> bytes:
    return unquote_to_bytes(uri.partition(":")[2].removeprefix("//localhost").removeprefix("//"))


PATHS = ByteSource(read=read_file, signature=stat_file)
FILE_URIS = ByteSource(lambda uri: read_file(_unquoted(uri)), lambda uri: stat_file(_unquoted(uri)))
