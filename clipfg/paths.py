"""Paths as people write them."""

from pathlib import Path


def expanded(path: Path | str) -> Path:
    """A path with `~` and `~name` as the home of that person.

    Where there is no such person, or no home, it is a name that begins with `~`.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)
