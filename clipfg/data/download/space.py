"""Room on the disk, checked before it runs out."""

import shutil
from pathlib import Path

from clipfg.errors import DataError

MARGIN = 256 << 20
"""Bytes that stay free on the disk."""


def check_space(folder: Path, needed: int, purpose: str) -> None:
    """Raises `DataError` unless `folder` has room for `needed` bytes and the margin."""
    free = shutil.disk_usage(folder).free
    if free < needed + MARGIN:
        raise DataError(
            f"Expected {(needed + MARGIN) >> 20:,} MiB free in {folder} for {purpose}, got"
            f" {free >> 20:,} MiB; make room or choose another --data-root."
        )
