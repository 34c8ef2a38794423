"""Data sets of the Hugging Face hub: `hf:REPO[:CONFIG][@SPLIT]`, or a folder that `datasets` saved.

The library `datasets` (the extra of that name) finds, downloads and converts them; clipfg reads
the images from its Arrow files itself and decodes them only when they are embedded, so that one
bad image is one failure. A folder written by `save_to_disk` does not need the library.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from clipfg.data.readers.caption_cells import captions_in
from clipfg.data.readers.embedded_images import arrow_uri, open_arrow
from clipfg.data.readers.hub_features import caption_column, image_column, label_column
from clipfg.data.readers.labels import index_labels, named_splits, readable_names, relabel
from clipfg.data.readers.list_files import read_json
from clipfg.data.sources import reason
from clipfg.errors import DataError, MissingError, UsageError
from clipfg.paths import expanded
from clipfg.registry import closest
from clipfg.types import ClassList, Manifest

PREFIX = "hf:"
SAVED = ("dataset_dict.json", "state.json")
"""Files by `save_to_disk`: the first in a folder of splits, the second in each split."""

Shards = Mapping[str, Sequence[Path]]
"""Split to its Arrow files, in order."""


def read(name: str, *, classes: ClassList | None = None, offline: bool = False) -> Manifest:
    """The images of a hub data set, or of a folder that `datasets` reads or saved.

    `name` is `REPO`, `REPO:CONFIG` or a path, followed by `@SPLIT` for one split; `hf:` may
    precede. With `offline`, only what was downloaded before is used.

    Raises `MissingError` when the extra is not installed or the data are not on disk and cannot
    be downloaded, `UsageError` for an unknown split, `DataError` for data without images.
    """
    given = name.removeprefix(PREFIX)
    repo, _, split = given.partition("@")
    local = expanded(repo)
    shards = (is_saved(local) and saved_shards(local)) or _fetch(repo, offline)
    if split:
        if split not in shards:
            raise UsageError(
                f"Expected a split of {repo}, got {split!r}.{closest(split, shards)} It has:"
                f" {', '.join(shards)}."
            )
        shards = {split: shards[split]}
    title = Path(repo).name if Path(repo).exists() else given
    return relabel(_manifest(title, shards), classes)


def is_saved(folder: Path) -> bool:
    """Whether `save_to_disk` wrote this folder."""
    return any((folder / file).is_file() for file in SAVED)


def saved_shards(folder: Path) -> Shards:
    """The Arrow files of a folder by `save_to_disk`. Raises `DataError` for other contents."""
    listing = folder / SAVED[0]
    try:
        if listing.is_file():
            splits = {str(s): folder / str(s) for s in read_json(listing)["splits"]}
        else:
            splits = {str(read_json(folder / SAVED[1])["_split"] or "all"): folder}
        files = {
            split: read_json(place / SAVED[1])["_data_files"] for split, place in splits.items()
        }
        return {s: [splits[s] / _local(file["filename"]) for file in files[s]] for s in splits}
    except (KeyError, TypeError, AttributeError):
        raise DataError(f"Expected the files of `save_to_disk` in {folder}.") from None


def _local(file: str) -> str:
    if Path(file).name != file:
        raise DataError(f"Expected a file in the data set's own folder, got {file!r}.")
    return file


def _fetch(repo: str, offline: bool) -> Shards:
    """Have `datasets` fetch and convert; its Arrow files."""
    local = expanded(repo)
    path, _, config = (str(local), "", "") if local.exists() else repo.partition(":")
    try:
        import datasets
    except ImportError:
        raise MissingError(
            f"Expected the library `datasets` to read hf:{repo}; pip install 'clipfg[datasets]'."
        ) from None
    if offline:
        datasets.config.HF_HUB_OFFLINE = True
    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
    try:
        found = datasets.load_dataset(path, config or None)
    except (OSError, datasets.exceptions.DatasetNotFoundError) as error:
        here = offline or datasets.config.HF_HUB_OFFLINE
        why = "it is not on this machine and this run is offline" if here else reason(error)
        raise MissingError(
            f"Expected the data set {path!r} from the hub, but {why}."
            " Check the name and the connection, or give the path of a copy."
        ) from None
    except Exception as error:  # scripts, configs, broken files: as many kinds as data sets
        why = " ".join(str(error).split())[:300].rstrip(".")
        raise DataError(f"Expected a data set of images in hf:{repo}, got: {why}.") from None
    shards = {str(s): [Path(f["filename"]) for f in d.cache_files] for s, d in found.items()}
    if not all(shards.values()):
        raise DataError(
            f"Expected hf:{repo} in files, but `datasets` keeps it in memory; unset"
            " HF_DATASETS_IN_MEMORY_MAX_SIZE."
        )
    return shards


def _manifest(name: str, shards: Shards) -> Manifest:
    columns: dict[str, list[Any]] = {"id": [], "uri": [], "split": [], "captions": []}
    labels: list[pa.Array] = []
    own: list[str] | None = None
    for split, title in zip(shards, named_splits(shards), strict=True):
        row = 0
        for file in shards[split]:
            table = _open(file)
            image = image_column(table.schema)
            if image is None:
                raise DataError(
                    f"Expected a column of images in {name}, got"
                    f" {', '.join(table.schema.names) or 'none'}."
                )
            label, names = label_column(table.schema)
            own = own or names
            columns["uri"] += [arrow_uri(file, r, image) for r in range(table.num_rows)]
            columns["id"] += [f"{split}/{r}" for r in range(row, row + table.num_rows)]
            columns["split"] += [None if split == "all" else title] * table.num_rows
            texts = caption_column(table.schema)
            cells = table[texts].to_pylist() if texts else [None] * table.num_rows
            columns["captions"] += map(captions_in, cells)
            if label:
                labels.append(table[label].combine_chunks())
            row += table.num_rows
    if not any(columns["captions"]):
        del columns["captions"]
    classes = ClassList(tuple(readable_names(own))) if own else None
    given: Any = {}
    if labels:
        values = pa.chunked_array(labels).combine_chunks()
        if pa.types.is_integer(values.type):  # the hub marks a hidden label with -1
            values = pc.if_else(pc.less(values, 0), pa.scalar(None, values.type), values)
        given["label"], classes = index_labels(values, classes, lambda r: columns["id"][r])
    return Manifest.build(name, columns | given, classes)


def _open(file: Path) -> pa.Table:
    try:
        return open_arrow(str(file))
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"Expected an Arrow file at {file}, got: {reason(error)}.") from None
