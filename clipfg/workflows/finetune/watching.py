"""How training goes: on the terminal, in the log at each check, and for TensorBoard."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from clipfg.errors import MissingError
from clipfg.types import StageProgress

logger = logging.getLogger("clipfg")

Board = Callable[[int, dict[str, float]], None]
"""Takes values after a number of steps."""


class Watcher:
    """Tells of every step and every check of a run of `steps` batches of `size` images."""

    def __init__(
        self, steps: int, size: int, objective: str, progress: StageProgress | None, board: Board
    ) -> None:
        self.steps, self.size, self.objective = steps, size, objective
        self._progress, self._board = progress, board
        self._done, self._loss = 0, float("nan")
        self._first, self._started = 0, time.monotonic()

    def step(self, step: int, losses: dict[str, float]) -> None:
        """Take in a step, numbered from 0."""
        if not self._done:  # it may be a run that goes on
            self._first, self._started = step + 1, time.monotonic()
        self._done, self._loss = step + 1, losses["loss"]
        self._board(self._done, losses)
        if self._progress is not None:
            self._progress(self._done, self.steps, f"loss {self._loss:.3f}")

    def watching(self, measure: Callable[[], float]) -> Callable[[], float]:
        """The measure, told of each time."""

        def told() -> float:
            self.check(value := measure())
            return value

        return told

    def check(self, value: float) -> None:
        """Take in what validation gave after the last step; before the first it is of the base."""
        self._board(self._done, {f"validation {self.objective}": value})
        said = f"{self._done:,} of {self.steps:,} steps: validation {self.objective} {value:.1%}"
        if self._done:
            said += f", loss {self._loss:.3f}"
        if seen := self._done - self._first:
            pace = (time.monotonic() - self._started) / seen
            left = pace * (self.steps - self._done)
            said += f", {self.size / pace:,.1f} images/s, {left / 60:,.1f} min left"
        logger.info(said)


@contextmanager
def tensorboard(folder: Path | None) -> Iterator[Board]:
    """Write files for TensorBoard, where there is a folder for them.

    Raises `MissingError` without its package.
    """
    if folder is None:
        yield lambda *_: None
        return
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise MissingError(
            "Expected the extra 'tensorboard' for --tensorboard; pip install 'clipfg[tensorboard]'."
        ) from None
    with SummaryWriter(str(folder)) as writer:

        def write(step: int, values: dict[str, float]) -> None:
            for name, value in values.items():
                writer.add_scalar(name, value, step)

        yield write
