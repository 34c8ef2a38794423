"""A training run on disk, from which it goes on after it was stopped in any way."""

import shutil
from pathlib import Path
from typing import Any

import torch

from clipfg.atomic import finished
from clipfg.errors import DataError
from clipfg.memory import in_words


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write a state under its final name once it is whole, and only then.

    Raises `DataError` where the disk has no room for it.
    """
    check_room(path, state_size(state))
    with finished(path) as partial:
        torch.save(state, partial)


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
