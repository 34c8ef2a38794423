"""Writing official layouts in miniature: list files, and images that are only there."""

from collections.abc import Iterable
from pathlib import Path


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
