"""Files that appear under their name only when they are whole."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clipfg.errors import DataError


@contextmanager
def finished(path: Path) -> Iterator[Path]:
    """A name beside `path` to write to; renamed to `path` when the block ends, else removed.

    Raises `DataError` when the file cannot be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise DataError(f"Expected to write {path}, got: {error.strerror or error}.") from None
    finally:
        partial.unlink(missing_ok=True)
