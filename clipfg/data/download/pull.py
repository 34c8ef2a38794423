"""A data set of the catalogue from its publisher to its folder, complete or not at all."""

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from clipfg.data.download.archives import is_archive, unpack
from clipfg.data.download.space import check_space
from clipfg.data.download.transfer import fetch
from clipfg.data.sets.catalogue import DatasetCard, Download
from clipfg.data.sources import reason
from clipfg.errors import DataError, MissingError, UsageError
from clipfg.types import Progress

DEPTH = 3
"""Folders below the top of an archive in which the official layout is looked for."""

_log = logging.getLogger(__name__)


def pull(card: DatasetCard, data_root: Path, *, progress: Progress | None = None) -> Path:
    """Download, check and unpack `card`'s files; the folder that holds the data in the end.

    The work is done in a hidden folder of `data_root`, which becomes the data set's folder once it
    has the official layout. An interrupted download is resumed by the next call. Of several
    processes one downloads, and the others wait and find the data. `progress` is called with the
    bytes that have arrived and the bytes in all.

    Raises `UsageError` for built-in data; `MissingError` where the publisher does not serve the
    files or cannot be reached; `DataError` for a wrong digest, a bad archive, and a disk that is
    full or cannot be written to.
    """
    if not card.layout:
        raise UsageError(f"{card.title} is built in; there is nothing to download.")
    if (there := card.locate(data_root)) is not None:
        return there
    if not card.downloads:
        raise MissingError(f"{card.title} has no direct download. {card.by_hand}")
    try:
        data_root.mkdir(parents=True, exist_ok=True)
        with _alone(card, data_root):
            return card.locate(data_root) or _download(card, data_root, progress)
    except OSError as error:
        raise DataError(
            f"Could not write {card.title} to {data_root}: {reason(error)}; choose another"
            " --data-root."
        ) from None


@contextmanager
def _alone(card: DatasetCard, data_root: Path) -> Iterator[None]:
    """Wait until no other process downloads this data set; one that was killed holds nothing."""
    path = data_root / f".{card.name}.lock"
    lock = FileLock(path)
    try:
        held = lock.acquire(timeout=0)
    except Timeout:
        _log.info(f"Another process is downloading {card.title}; waiting for it.")
        held = lock.acquire()
    with held:
        try:
            yield
        finally:
            with suppress(OSError):  # Windows: not while it is locked
                path.unlink()


def _download(card: DatasetCard, data_root: Path, progress: Progress | None) -> Path:
    target = Path(os.path.normpath(data_root / card.folders[0]))
    if target.exists() and any(target.iterdir()):
        raise DataError(
            f"Expected {target} to hold {card.title} or nothing, got other files; move them away."
        )
    size = f"{card.size}, " if card.size else ""
    _log.info(f"Downloading {card.title} ({size}licence: {card.licence}) to {data_root}/")
    staging = data_root / f".{card.name}.partial"
    present = sum(file.stat().st_size for file in staging.glob("files/*"))
    unpacked = 2 * sum(download.size for download in card.downloads)  # the files and their contents
    check_space(data_root, unpacked - present, card.title)
    files = _fetch_all(card, staging / "files", progress)
    root = _unpack_all(card, files, staging / "unpacked")
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        target.rmdir()  # it is empty, as checked above
    root.replace(target)
    shutil.rmtree(staging, ignore_errors=True)
    return target.absolute()


def _fetch_all(card: DatasetCard, folder: Path, progress: Progress | None) -> list[Path]:
    total = sum(download.size for download in card.downloads)
    files: list[Path] = []
    for download in card.downloads:
        before = sum(file.stat().st_size for file in files)

        def report(here: int, whole: int, before: int = before) -> None:
            assert progress is not None
            progress(before + here, max(total, before + max(here, whole)))

        files.append(fetch(download, folder, progress=report if progress else None))
    return files


def _unpack_all(card: DatasetCard, files: list[Path], folder: Path) -> Path:
    """Unpack the files into `folder`; the root of the official layout in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for download, file in zip(card.downloads, files, strict=True):
        _unpack(download, file, folder)
    root = _find(card, folder)
    for file in files if root != folder else ():
        if not is_archive(file):  # lists that are served beside the archive
            (folder / file.name).replace(root / file.name)
    return root


def _unpack(download: Download, file: Path, folder: Path) -> None:
    if not is_archive(file):
        shutil.copyfile(file, folder / file.name)
        return
    _log.info(f"Unpacking {file.name}")
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
    raise DataError(
        f"Expected {', '.join(card.contents)} in the files of {card.title}, but they hold something"
        f" else; the publisher may have changed them. They are in {folder}."
    )
