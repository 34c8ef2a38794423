"""A data set of the catalogue from its publisher to its folder, whole or not at all."""

import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from clipfg.data.download.archives import is_archive, unpack
from clipfg.data.download.transfer import MARGIN, Progress, fetch
from clipfg.data.sets.catalogue import DatasetCard, Download
from clipfg.errors import DataError, MissingError, UsageError

DEPTH = 3
"""Folders below the top of an archive in which the official layout is looked for."""

_log = logging.getLogger(__name__)

Bar = Callable[[Download], Progress | None]
"""Gives a file's progress callback, or None."""


def pull(card: DatasetCard, data_root: Path, *, bar: Bar | None = None) -> Path:
    """Download, check and unpack `card`'s files; the folder that holds the data in the end.

    All is made in a hidden folder of `data_root` and renamed when it has the official layout.
    Interrupted, it goes on from there at the next call; two calls at once are refused.

    Raises `UsageError` where there is nothing to download, `MissingError` where the publisher does
    not serve it (any more), and `DataError` for a wrong digest, a bad archive or a full disk.
    """
    if not card.layout:
        raise UsageError(f"{card.title} is built in; there is nothing to get.")
    if (there := card.locate(data_root)) is not None:
        return there
    if not card.downloads:
        raise MissingError(f"{card.title} cannot be had by a plain download. {card.how_to_get}")
    target = Path(os.path.normpath(data_root / card.folders[0]))
    if target.exists() and any(target.iterdir()):
        raise DataError(
            f"Expected {target} to hold {card.title} or nothing, got other files; move them away."
        )
    staging = data_root / f".{card.name}.partial"
    with _alone(staging):
        _check_space(card, staging)
        files = [fetch(d, staging / "files", progress=bar and bar(d)) for d in card.downloads]
        unpacked = staging / "unpacked"
        shutil.rmtree(unpacked, ignore_errors=True)
        for download, file in zip(card.downloads, files, strict=True):
            _log.info(f"Unpacking {file.name}")
            _place(download, file, unpacked)
        root = _find(card, unpacked)
        for file in files if root != unpacked else ():
            if not is_archive(file):  # lists that are served beside the archive
                (unpacked / file.name).replace(root / file.name)
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            target.rmdir()  # empty: seen above
        root.replace(target)
    shutil.rmtree(staging, ignore_errors=True)
    return target.absolute()


def _place(download: Download, file: Path, folder: Path) -> None:
    if not is_archive(file):
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, folder / file.name)
        return
    unpack(file, folder)
    for inner in download.inner:
        if (folder / inner).is_file():
            unpack(folder / inner, (folder / inner).parent)
            (folder / inner).unlink()


def _find(card: DatasetCard, folder: Path) -> Path:
    """The folder in the unpacked files that has the official layout."""
    level = [folder]
    for _ in range(DEPTH + 1):
        if (root := next((place for place in level if card.holds(place)), None)) is not None:
            return root
        level = [p for place in level for p in sorted(place.iterdir()) if p.is_dir()]
    parts = ", ".join(part.partition("|")[0] for part in card.layout)
    raise DataError(
        f"Expected {parts} in the files of {card.title}, but they hold something else; the"
        f" publisher may have changed them. They are in {folder}."
    )


def _check_space(card: DatasetCard, folder: Path) -> None:
    """Room for the files and as much again unpacked, before hours are spent."""
    present = sum(f.stat().st_size for f in (folder / "files").glob("*")) if folder.is_dir() else 0
    needed = 2 * sum(download.size for download in card.downloads) - present + MARGIN
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DataError(
            f"Expected {needed >> 20:,} MiB free in {folder.parent} for {card.title}, got"
            f" {free >> 20:,} MiB; make room or choose another --data-root."
        )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold `folder` against other runs; a run that was killed holds nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        try:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:  # Windows: two runs at once end in a wrong digest, not in bad data
            pass
        except OSError:
            raise DataError(f"Another run is filling {folder}; wait for it.") from None
        yield
