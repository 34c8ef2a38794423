"""Files that appear under their final name only once they are complete."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from clipfg.errors import ClipfgError, DataError


@contextmanager
def finished(path: Path, error: type[ClipfgError] = DataError) -> Iterator[Path]:
    """A temporary file beside `path` to write to: renamed to `path` when the block succeeds.

    When the block fails, the temporary file is removed and `path` stays as it was. The folder is
    created. Raises `error` when the file cannot be written.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        publish(partial, path)
    except OSError as reason:
        raise error(f"Could not write {path}: {reason.strerror or reason}.") from None
    finally:
        with suppress(OSError):
            partial.unlink()


def publish(partial: Path, path: Path) -> None:
    """Flush `partial` to disk and rename it to `path`, replacing what was there."""
    with partial.open("rb+") as file:
        os.fsync(file.fileno())
    partial.replace(path)
