"""What goes to stderr: messages, and progress on a terminal only."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from clipfg.printable import printable_lines

if TYPE_CHECKING:
    from clipfg.types import StageProgress
DOWNLOAD = "Downloading"
"""What labels of stages begin with whose progress is in bytes."""


@cache
def stderr() -> Console:
    """The console for everything that is not a result."""
    return Console(stderr=True, highlight=False)


@cache
def stdout() -> Console:
    """The console for results."""
    return Console(highlight=False)


class _Handler(logging.Handler):
    """Log records as plain lines, through the console so that bars stay whole."""

    def emit(self, record: logging.LogRecord) -> None:
        style = "yellow" if record.levelno >= logging.WARNING else "dim"
        stderr().print(Text(printable_lines(self.format(record)), style=style), soft_wrap=True)


def set_up_logging(*, quiet: bool, verbose: bool) -> None:
    """Send the package's messages to stderr: all, those of note, or none."""
    logger = logging.getLogger("clipfg")
    logger.setLevel(logging.DEBUG if verbose else logging.INFO)
    logger.propagate = False
    for handler in [h for h in logger.handlers if isinstance(h, _Handler)]:
        logger.removeHandler(handler)
    handler = _Handler()
    handler.setLevel(logging.ERROR if quiet else logging.DEBUG if verbose else logging.NOTSET)
    handler.addFilter(lambda record: verbose or not getattr(record, "file_only", False))
    logger.addHandler(handler)


class _Amount(ProgressColumn):
    """How much is done: images, or MiB of a download."""

    def render(self, task: Task) -> Text:
        bits = 20 if task.description.startswith(DOWNLOAD) else 0
        done, total = (int(n or 0) >> bits for n in (task.completed, task.total))
        return Text(f"{done:,}/{total:,}{' MiB' if bits else ''}")


class _Rate(ProgressColumn):
    """How fast it goes, in the same unit."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        if speed is None:
            return Text("")
        mib = task.description.startswith(DOWNLOAD)
        return Text(f"{speed / 2**20:,.1f} MiB/s" if mib else f"{speed:,.0f}/s", style="dim")


@contextmanager
def progress_bars() -> Iterator[Callable[[str], StageProgress | None]]:
    """Bars with rate and time left; yields `progress(label)`, which gives `report(done, total)`.

    Off a terminal it gives None.
    """
    if not sys.stderr.isatty() or logging.getLogger("clipfg").handlers[0].level >= logging.ERROR:
        yield lambda label: None  # noqa: ARG005
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        _Amount(),
        _Rate(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=stderr(), transient=True) as bars:

        def progress(label: str) -> StageProgress:
            task = bars.add_task(label, total=None, visible=False)

            def report(done: int, total: int, note: str = "", /) -> None:
                said = f"{label}, {note}" if note else label
                bars.update(
                    task, completed=done, total=total, visible=done < total, description=said
                )

            return report

        yield progress
