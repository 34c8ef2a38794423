"""The machine's memory, and room in it that threads share."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from clipfg.errors import ItemError

UNKNOWN = 4 << 30
"""Bytes that are counted on where the system does not say how many it has."""
LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Where Linux tells a container what it may use (cgroups 2 and 1)."""


def machine_memory() -> int:
    """Bytes of memory that this machine, or the container on it, has."""
    known = []
    with suppress(AttributeError, ValueError, OSError):  # no sysconf on Windows
        known.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for place in LIMITS:
        with suppress(OSError, ValueError):  # "max" where there is no limit
            known.append(int(Path(place).read_text()))
    return min((size for size in known if size > 0), default=UNKNOWN)


def in_words(size: float) -> str:
    """A number of bytes, as people read it."""
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:,.0f} MiB"


class MemoryBudget:
    """Bytes that all threads together may use for one purpose; a thread waits for its share."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.used = 0
        self._changed = threading.Condition()

    @contextmanager
    def room(self, size: int) -> Iterator[None]:
        """Wait until `size` bytes are free and keep them until the block ends.

        Ask for all that is needed at once: threads that hold room while they wait for more would
        wait for each other. Raises `ItemError` for more than the whole budget.
        """
        if size > self.total:
            raise ItemError(
                f"Expected an image that can be decoded in {in_words(self.total)}, half of this"
                f" machine's memory, got one that takes {in_words(size)}; shrink it first."
            )
        with self._changed:
            self._changed.wait_for(lambda: self.used + size <= self.total)
            self.used += size
        try:
            yield
        finally:
            with self._changed:
                self.used -= size
                self._changed.notify_all()
