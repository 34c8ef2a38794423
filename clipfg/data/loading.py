"""From what a person calls their data, a name or a path, to a manifest."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from clipfg.data.doubts import doubts, with_doubts
from clipfg.data.readers import (
    folder,
    hub,
    parquet_shards,
    table,
    table_folder,
    webdataset,
)
from clipfg.data.readers.class_files import read_class_list
from clipfg.data.readers.class_lists import with_listed_classes
from clipfg.data.readers.file_name_labels import labelled_by_name
from clipfg.data.readers.formats import reading as annotations
from clipfg.data.readers.formats.form import Sample
from clipfg.data.readers.formats.form import recognise as annotation_form
from clipfg.data.readers.formats.joining import join_boxes
from clipfg.data.readers.label_names import rename
from clipfg.data.readers.labels import relabel
from clipfg.data.readers.split_lists import with_listed_splits
from clipfg.data.readers.table_columns import NoPathsError
from clipfg.data.readers.table_formats.opening import SUFFIXES as TABLES
from clipfg.data.readers.table_formats.opening import is_tabular
from clipfg.data.readers.unread import with_unread
from clipfg.data.readers.walk import Walk, is_image, walk
from clipfg.data.sets import coop
from clipfg.data.sets.catalogue import DATA_ROOT, DATASETS, DatasetCard, recognise
from clipfg.data.sets.layouts import subfolders
from clipfg.data.sources import misspelt
from clipfg.data.unreadable import without_unreadable
from clipfg.errors import DataError, MissingError, UsageError
from clipfg.paths import expanded
from clipfg.registry import closest
from clipfg.types import ChoiceSet, ClassList, Hints, LeftOut, Manifest, Progress, Reading

MANIFESTS = tuple(
    f"{stem}{suffix}"
    for stem in ("manifest", "metadata")
    for suffix in (".csv", ".tsv", ".jsonl", ".parquet")
)
"""Tables that describe the folder that they are in."""

FOLDERS = 20
"""In a folder with more, a data set in its official layout is not looked for."""

STRAYS = 3
"""Pictures that may lie beside shards without being the data."""

COOP = "coop"
UNSETTLED = Hints()


def load_dataset(
    name: str,
    *,
    data_root: Path | None = None,
    classes: ClassList | None = None,
    hints: Hints = UNSETTLED,
    offline: bool = False,
    download: bool = False,
    progress: Progress | None = None,
) -> Manifest:
    """The data called `name`.

    Parameters
    ----------
    name
        A name of the catalogue (`flowers102`), followed by `@coop` for CoOp's split file beside
        the data or `@FILE.json` for one elsewhere; or a path: a folder in an official layout, with
        a `manifest.csv`, of WebDataset shards, with a folder per class or with images only; a
        table; a tar, or several as `x-{000..009}.tar`; one image. `hf:REPO` is a data set of the
        Hugging Face hub.
    data_root
        The folder that holds the catalogue's data sets; `data/` and the working folder where None.
    classes
        A class list to label by. Every item's class must be in it; it may hold more.
    hints
        What is known of the data: where the class is named, and so on.
    offline, download
        Never use the network; or fetch a data set of the catalogue that is not on disk, where its
        publisher serves it, into `data_root` (`data/` where None). An interrupted one is resumed.
    progress
        Called with the bytes that have arrived and the bytes in all while it downloads.

    Raises `MissingError` for a data set of the catalogue that is not on disk and may not or cannot
    be downloaded, `UsageError` for an unknown name, and `DataError` for data that are not what
    they claim to be.
    """
    if hints.label_names is not None or hints.label_from_name is not None:
        unnamed = replace(hints, label_names=None, label_from_name=None)
        options: dict[str, Any] = {"data_root": data_root, "offline": offline, "download": download}
        manifest = load_dataset(name, hints=unnamed, progress=progress, **options)
        return relabel(_as_said(manifest, hints), classes)
    manifest = _load(name, data_root, classes, hints, offline, download, progress)
    if hints.boxes is not None:
        manifest = join_boxes(manifest, hints.boxes, hints)
    return without_unreadable(manifest)


def _load(
    name: str,
    data_root: Path | None,
    classes: ClassList | None,
    hints: Hints,
    offline: bool,
    download: bool,
    progress: Progress | None,
) -> Manifest:
    base, at, split_file = name.partition("@")
    if base in DATASETS and (at or not _is_own(name, data_root)):
        card = DATASETS.get(base)
        root = _locate(card, data_root, progress, download=download and not offline)
        if at:
            file = None if split_file == COOP else expanded(split_file)
            manifest = coop.read(card, root, file, name=f"{card.name}@{COOP}")
        else:
            manifest = card.read(root)
        return relabel(manifest, classes)
    if name.startswith(hub.PREFIX):
        return with_doubts(hub.read(name, classes=classes, offline=offline))
    if webdataset.is_pattern(name):
        return with_doubts(webdataset.read(name, classes=classes))
    path = expanded(name)
    if not os.path.exists(path):  # noqa: PTH110 - no error for a name that is too long
        raise UsageError(_unknown(name, path))
    if not path.is_dir():
        return with_doubts(_read_file(path, classes, hints))
    if hints.label_level is None and (official := _official(path)):
        card, root = official
        return relabel(card.read(root.absolute()), classes)
    return with_doubts(_read_folder(path, classes, hints))


def _as_said(manifest: Manifest, hints: Hints) -> Manifest:
    """Labels from the names of pictures, and names for labels, as `hints` say."""
    if hints.label_from_name is None and hints.label_names is None:
        return manifest
    stale = doubts(manifest)
    if hints.label_from_name is not None:
        manifest = labelled_by_name(manifest, hints.label_from_name)
    if hints.label_names is not None:
        manifest = rename(manifest, read_class_list(hints.label_names, ids=True))
    if (reading := manifest.reading) is not None:
        kept = tuple(doubt for doubt in reading.doubts if doubt not in stale)
        manifest = replace(manifest, reading=replace(reading, doubts=kept))
    return with_doubts(manifest)


def load_choices(name: str, *, data_root: Path | None = None) -> ChoiceSet | None:
    """The choices of the data called `name`, a name of the catalogue or a folder in its layout.

    None for data whose items do not bring texts of their own. Raises as `load_dataset` does.
    """
    path = expanded(name)
    if name in DATASETS:
        card: DatasetCard | None = DATASETS.get(name)
    else:
        card = recognise(path) if path.is_dir() else None
    if card is None or card.choices is None:
        return None
    root = path.absolute() if name not in DATASETS else None
    return card.choices(root or _locate(card, data_root, None, download=False))


def _locate(
    card: DatasetCard, data_root: Path | None, progress: Progress | None, *, download: bool
) -> Path:
    """The root folder of a data set; its publisher's files are fetched if need be."""
    root = card.locate(data_root) if card.layout else Path()
    if root is None and download and card.downloads:
        from clipfg.data.download.pull import pull  # its libraries are needed for nothing else

        root = pull(card, data_root or DATA_ROOT, progress=progress)
    if root is None:
        place = (data_root or DATA_ROOT) / card.folders[0]
        raise MissingError(
            f"Expected {card.title} ({', '.join(card.contents)}) in {place}, but it is not there."
            f" {card.how_to_get}"
        )
    return root


def _is_own(name: str, data_root: Path | None) -> bool:
    """Whether a folder that has the name of a data set is a person's own: a path is a path."""
    own = data_root is None and Path(name).is_dir()
    return own and DATASETS.get(name).locate() is None


def _official(path: Path) -> tuple[DatasetCard, Path] | None:
    """The data set whose official layout a folder has, or the one folder in it; and that folder.

    Raises `UsageError` where several folders in it are data sets.
    """
    if card := recognise(path):
        return card, path
    inside = subfolders(path)
    if len(inside) > FOLDERS:
        return None
    found = [(card, path / name) for name in inside if (card := recognise(path / name))]
    if len(found) > 1:
        names = ", ".join(folder.name for _, folder in found)
        raise UsageError(f"Expected one data set in {path}, got {names}; name one of them.")
    return found[0] if found else None


def _unknown(name: str, path: Path) -> str:
    scheme = name.partition(":")[0]
    if scheme in {"http", "https", "s3", "gs"} and ":" in name:
        return f"Expected data on this machine, got {name!r}; fetch it and give its path."
    hint = closest(name, DATASETS) or misspelt(path)
    return (
        f"Expected a data set or a path, but there is nothing called {name!r}.{hint}"
        f" Data sets: {', '.join(DATASETS)}."
    )


def _read_folder(path: Path, classes: ClassList | None, hints: Hints) -> Manifest:
    if hub.is_saved(path):
        return hub.read(str(path.absolute()), classes=classes)
    of_something_else: NoPathsError | None = None
    for file in MANIFESTS if hints.label_level is None else ():
        if (path / file).is_file():
            try:
                here = path.absolute().name
                return table.read(path / file, name=here, classes=classes, hints=hints)
            except NoPathsError as error:
                of_something_else = error
    found = walk(path.absolute())
    if of_something_else and not any(len(parts) > 1 for parts in found.pictures):
        raise of_something_else
    manifest = annotations.read_folder(
        path,
        found,
        lambda: _read_unmarked(path, found, classes, hints),
        classes=classes,
        hints=hints,
    )
    return manifest if hints.label_level is not None else with_unread(manifest, found, hints)


def _read_unmarked(path: Path, found: Walk, classes: ClassList | None, hints: Hints) -> Manifest:
    """A folder that no annotation file describes."""
    folders = any(len(parts) > 1 for parts in found.pictures)
    if not found.pictures and (tables := parquet_shards.find(path)):
        return parquet_shards.read(tables, path, classes=classes)
    sharded = any(parts[-1].lower().endswith(webdataset.SUFFIXES) for parts in found.archives)
    if sharded and not folders and len(found.pictures) <= STRAYS:
        shards = webdataset.read(path, classes=classes)
        strays = tuple(LeftOut(parts[-1], 1, "beside shards") for parts in found.pictures)
        return replace(shards, reading=Reading("WebDataset shards", left_out=strays))
    by_tables, doubt = table_folder.read(path.absolute(), found, hints, classes)
    if by_tables is not None:
        return with_listed_splits(by_tables, found)
    by_folders = folder.read(path, classes=classes, hints=hints, found=found)
    if doubt and (said := by_folders.reading):
        by_folders = replace(by_folders, reading=replace(said, doubts=(*said.doubts, doubt)))
    return with_listed_splits(with_listed_classes(by_folders, found), found)


def _read_file(path: Path, classes: ClassList | None, hints: Hints) -> Manifest:
    if form := annotation_form(Sample(path)):
        return annotations.read_file(path, form, classes=classes, hints=hints)
    suffix = path.suffix.lower()
    if suffix in TABLES:
        return table.read(path, classes=classes, hints=hints)
    if path.name.lower().endswith(webdataset.SUFFIXES):
        return webdataset.read(path, classes=classes)
    if is_image(path.name):
        return folder.read(path, classes=classes)
    if suffix == ".zip":
        raise UsageError(f"Expected a folder, a table or a tar, got {path}; unzip it first.")
    if is_tabular(path):
        return table.read(path, classes=classes, hints=hints)
    tables = ", ".join(sorted(TABLES))
    raise DataError(
        f"Expected a folder, a table ({tables}), a tar, an image or an annotation file of a known"
        f" form, got {path}; write a table with the columns path and label, or convert it to COCO"
        " (`pip install panlabel` converts most forms)."
    )
