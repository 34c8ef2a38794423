"""Untrusted archives: their files land in one folder and nowhere else.

A name that leads out of the folder ends the unpacking, and so does an archive that unpacks to many
times its size. Links and devices are skipped; modes and owners are ignored.
"""

import logging
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from clipfg.data.download.space import check_space
from clipfg.data.sources import reason
from clipfg.errors import DataError

SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip")

RATIO = 20
"""How many times its size an archive may unpack to; images are hardly compressed."""

FLOOR = 64 << 20
"""Bytes that even a small archive may unpack to."""

MEMBERS = 5_000_000
"""Members that an archive may have; the largest in the catalogue has 2.7 million images."""

_CHUNK = 1 << 20
_log = logging.getLogger(__name__)


class _Member(NamedTuple):
    name: str
    is_folder: bool
    open: Callable[[], IO[bytes] | None] | None
    """None for what is not a plain file."""


def is_archive(path: Path) -> bool:
    """Whether a file is an archive that we unpack, by its name."""
    return path.name.lower().endswith(SUFFIXES)


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a tar (plain, gzip, bzip2, xz) or zip into `folder`, which is created.

    Raises `DataError` for a damaged archive, for a member that would leave the folder, for one that
    unpacks to more than `RATIO` times its size, and for a full disk. What was unpacked until then
    stays: pass a folder that can be thrown away.
    """
    try:
        members = _zip_members if archive.suffix.lower() == ".zip" else _tar_members
        _unpack(members(archive), archive, folder)
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, LZMAError, EOFError) as error:
        raise DataError(
            f"Expected a whole archive at {archive}, got a damaged one ({reason(error)})."
        ) from None
    except (NotImplementedError, RuntimeError) as error:  # zipfile: unknown method, encrypted
        raise DataError(
            f"Expected an archive that Python reads at {archive}, got {error}."
        ) from None
    except OSError as error:
        # gzip raises it too, for a file that is not gzip
        raise DataError(f"Could not unpack {archive}: {reason(error)}.") from None


def _unpack(members: Iterator[_Member], archive: Path, folder: Path) -> None:
    left = max(FLOOR, RATIO * archive.stat().st_size)
    folder.mkdir(parents=True, exist_ok=True)
    others = 0
    for count, member in enumerate(members, 1):
        target = folder.joinpath(*_inside(member.name, archive))
        if count > MEMBERS:
            raise DataError(f"Expected at most {MEMBERS:,} files in {archive}, got more.")
        if count % 1000 == 1:
            check_space(folder, 0, f"unpacking {archive.name}")
        if member.is_folder:
            target.mkdir(parents=True, exist_ok=True)
        elif member.open and (source := member.open()):
            target.parent.mkdir(parents=True, exist_ok=True)
            left = _write(source, target, left, archive)
        else:
            others += 1
    if others:
        _log.warning(f"{archive.name}: {others:,} links or devices were skipped.")


def _write(source: IO[bytes], target: Path, left: int, archive: Path) -> int:
    with source, target.open("wb") as file:
        while chunk := source.read(_CHUNK):
            left -= len(chunk)
            if left < 0:
                raise DataError(
                    f"Expected {archive} to unpack to at most {RATIO} times its size, got more."
                )
            file.write(chunk)
    return left


def _inside(name: str, archive: Path) -> tuple[str, ...]:
    """The parts of a member's name below the folder. Raises `DataError` when it leads elsewhere."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if not parts:
        return ()
    if parts[0].startswith("/") or ".." in parts or ":" in parts[0] or "\0" in name:
        raise DataError(
            f"Expected files inside the archive's own folder, got {name!r:.80} in {archive};"
            " the archive is not used."
        )
    return tuple(part for part in parts if part != ".")


def _tar_members(archive: Path) -> Iterator[_Member]:
    with tarfile.open(archive, "r:*") as tar:
        while (info := tar.next()) is not None:
            content = partial(tar.extractfile, info) if info.isreg() else None
            yield _Member(info.name, info.isdir(), content)
            tar.members.clear()  # type: ignore[attr-defined]  # or it keeps millions of them


def _zip_members(archive: Path) -> Iterator[_Member]:
    with zipfile.ZipFile(archive) as file:
        for info in file.infolist():
            plain = stat.S_IFMT(info.external_attr >> 16) in {0, stat.S_IFREG}
            yield _Member(info.filename, info.is_dir(), partial(file.open, info) if plain else None)
