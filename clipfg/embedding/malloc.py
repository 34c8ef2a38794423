"""Blocks that a forward pass has used stay with the process, for the next pass to use."""

import ctypes
import os
import sys

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # mallopt(3)
_NEVER = 2**31 - 1


def keep_freed_blocks() -> bool:
    """Tell glibc not to hand large freed blocks back to the system; whether it was told.

    By default it asks the system for each large block and returns it at once, and the system clears
    every page anew: with a convolutional tower at float32 that took more time than the sums. Peak
    memory grows by a fifth, and stays until the process ends.

    Who has set anything of malloc's in the environment (`MALLOC_TRIM_THRESHOLD_`,
    `GLIBC_TUNABLES`) knows better, and is left alone; so are other C libraries.
    """
    if any(name.startswith("MALLOC_") or name == "GLIBC_TUNABLES" for name in os.environ):
        return False
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_MMAP_MAX, 0)) and bool(mallopt(_TRIM_THRESHOLD, _NEVER))
