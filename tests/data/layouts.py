"""Official layouts in miniature: list files, and images that need only exist."""

import io
import tarfile
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path


def lay_out(name: str, root: Path) -> Path:
    """Write the miniature of a data set's official layout into `root`; returns `root`.

    Each data set's own test file, tests/data/sets/test_NAME.py, has a function
    `lay_out(root: Path) -> Path` for this. It creates `root` and writes the publisher's list files
    (`write`) for a few images of two classes or more, and most of these images (`touch`: an image
    may hold anything, for none is decoded). tests/contracts/test_datasets.py reads the result by
    name and by path, without its images, and as a download.
    """
    module = import_module(f"tests.data.sets.test_{name.replace('-', '_')}")
    return module.lay_out(root)


def write(root: Path, file: str, lines: Iterable[str]) -> None:
    """A list file with a line for each."""
    path = root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def touch(root: Path, *files: str) -> None:
    """Files that nobody opens while a layout is read."""
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(b"x")


def packed(folder: Path, name: str = ".", *, only: str = "") -> bytes:
    """A folder, or one thing in it, as a gzipped tar with `name` on top."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.add(folder / only, f"{name}/{only}" if only else name)
    return buffer.getvalue()
