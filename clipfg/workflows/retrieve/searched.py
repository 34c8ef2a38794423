"""Where a search looks: a key store, a data set, or the images of the working folder."""

import logging
from pathlib import Path

import numpy as np

from clipfg.data.readers.folder import read_images
from clipfg.errors import DataError, UsageError
from clipfg.options import RetrieveOptions
from clipfg.store import KeyStore
from clipfg.workflows.dataset import Dataset
from clipfg.workflows.index.items import embed_items
from clipfg.workflows.index.store import default_store
from clipfg.workflows.run_folder import is_run
from clipfg.workflows.session import Session

logger = logging.getLogger("clipfg")


def open_searched(session: Session[RetrieveOptions]) -> KeyStore:
    """What is searched, as a store: `--store`, else `--dataset`, else the default store, else the
    images of the working folder. Images are embedded, or come from the cache.

    Raises `UsageError` where there is nothing to search, and other `ClipfgError`s.
    """
    options = session.options
    path = options.store or (None if options.dataset else default_store())
    if path is not None:
        store = KeyStore.load(path)
        _log_searched(len(store), path)
    else:
        data = session.dataset() if options.dataset else images_here(options)
        _log_searched(len(data), data.name if options.dataset else Path.cwd())
        store = embed_items(session, data).store()
    store.index.device = options.device
    return store


def images_here(options: RetrieveOptions) -> Dataset:
    """The images below the working folder, whatever its folders are called, without labels.

    Charts in run folders are left out. Raises `UsageError` where there is no image.
    """
    here = Path.cwd()
    try:
        found = Dataset(read_images([here]))
    except DataError:
        found = None
    if found is not None:
        folders = [identity.rpartition("/")[0] for identity in found.manifest.ids]
        runs = {folder for folder in set(folders) if is_run(here / folder)}
        found = found.rows(np.flatnonzero([folder not in runs for folder in folders]))
    if not found:
        raise UsageError(
            f"There are no images to search in {here}; name others by --dataset PATH, or a key"
            " store by --store DIR."
        )
    return found.select(options.split, options.limit)


def _log_searched(count: int, where: Path | str) -> None:
    logger.info(f"Searching {count:,} images in {where}")
