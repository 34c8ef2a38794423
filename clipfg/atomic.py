"""Files that appear under their final name only once they are complete."""

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from clipfg.errors import ClipfgError, DataError

fcntl: Any
try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

LEFT = re.compile(r"\..+\.[0-9a-f]{8}\.part")
"""The names of temporary files."""


@contextmanager
def finished(path: Path, error: type[ClipfgError] = DataError) -> Iterator[Path]:
    """A temporary file beside `path` to write to: renamed to `path` when the block succeeds.

    When the block fails, the temporary file is removed and `path` stays as it was. The folder is
    created, and those that killed runs have left in it are removed. Raises `error` when the file
    cannot be written.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path.parent)
        with _held(partial):
            yield partial
            publish(partial, path)
    except OSError as reason:
        raise error(f"Could not write {path}: {reason.strerror or reason}.") from None
    finally:
        with suppress(OSError):
            partial.unlink()


@contextmanager
def _held(partial: Path) -> Iterator[None]:
    """Make an empty file that no sweep takes until the block ends or the process dies.

    It is locked before it has a name that is swept. Without such locks nothing is swept, and the
    file is closed: Windows renames no open one.
    """
    if fcntl is None:
        partial.touch()
        yield
        return
    unlocked = partial.with_suffix(".new")
    with unlocked.open("wb") as owned:
        _lock(owned)
        unlocked.replace(partial)
        yield


def _lock(file: IO[bytes]) -> bool:
    """Lock an open file until it is closed or its process ends; False where another has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # or a file system without locks
        return False
    return True


def _sweep(folder: Path) -> None:
    """Remove temporary files whose owner is dead: one that lives has them locked."""
    for left in folder.glob(".*.part"):
        if fcntl and LEFT.fullmatch(left.name):
            with suppress(OSError), left.open("rb") as file:
                if _lock(file):
                    left.unlink()


def publish(partial: Path, path: Path) -> None:
    """Flush `partial` to disk and rename it to `path`, replacing what was there."""
    with partial.open("rb+") as file:
        os.fsync(file.fileno())
    partial.replace(path)
