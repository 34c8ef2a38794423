"""A training run on disk, from which it goes on after it was stopped in any way."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

from clipfg.atomic import finished
from clipfg.errors import DataError, UsageError
from clipfg.memory import in_words


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Have a state to oneself; it is removed when the block, the whole run, ends well.

    Raises `UsageError` where another process has it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        lock = FileLock(path.with_suffix(".lock"), timeout=0).acquire()
    except Timeout:
        raise UsageError(
            "The same training is running already, with the same model, data, recipe and seed; wait"
            " for it, or train a second time by --no-resume."
        ) from None
    with lock:
        yield
        path.unlink(missing_ok=True)


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write a state under its final name once it is whole, and only then.

    Raises `DataError` where the disk has no room for it.
    """
    check_room(path, state_size(state))
    with finished(path) as partial, partial.open("wb") as file:
        torch.save(state, file)


def load_state(path: Path) -> dict[str, Any] | None:
    """The state in a file, None where there is none. Raises `DataError` for a damaged one."""
    if not path.is_file():
        return None
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise DataError(
            f"{path} is no state of a training run ({error}); delete it to begin anew."
        ) from None
    state: dict[str, Any] = found
    return state


def state_size(state: Any) -> int:
    """Bytes of the tensors in a state."""
    if isinstance(state, torch.Tensor):
        return state.numel() * state.element_size()
    if isinstance(state, dict):
        return sum(map(state_size, state.values()))
    return sum(map(state_size, state)) if isinstance(state, list | tuple) else 0


def check_room(path: Path, size: int) -> None:
    """Raises `DataError` where the disk under `path` has fewer than `size` bytes free."""
    path.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(path.parent).free
    if free < size * 1.05 + (1 << 20):
        raise DataError(
            f"Expected {in_words(size)} free in {path.parent} for a checkpoint, got"
            f" {in_words(free)}; make room or name another --cache-dir or --output."
        )
