"""From what a person calls their data, a name or a path, to a manifest."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from clipfg.data.readers import folder, hub, table, table_files, webdataset
from clipfg.data.readers.labels import relabel
from clipfg.data.sets import coop
from clipfg.data.sets.catalogue import DATASETS, DatasetCard, recognise
from clipfg.errors import DataError, MissingError, UsageError
from clipfg.registry import closest
from clipfg.types import ClassList, Manifest

MANIFESTS = tuple(
    f"{stem}{suffix}"
    for stem in ("manifest", "metadata")
    for suffix in (".csv", ".tsv", ".jsonl", ".parquet")
)
"""Tables that, lying in a folder, say what the folder holds."""

COOP = "coop"


def load_dataset(
    name: str,
    *,
    data_root: Path | None = None,
    classes: ClassList | None = None,
    offline: bool = False,
) -> Manifest:
    """The data called `name`.

    Parameters
    ----------
    name
        A name of the catalogue (`flowers102`), with `@coop` behind it for CoOp's split file beside
        the data or `@FILE.json` for one elsewhere; or a path: a folder in an official layout, with
        a `manifest.csv`, of WebDataset shards, a folder per class or a heap of images; a table; a
        tar, or several as `x-{000..009}.tar`; one image. `hf:REPO` is a data set of the hub.
    data_root
        The folder that holds the catalogue's data sets; `data/` and the working folder where None.
    classes
        A class list to label by. Every item's class must be in it; it may hold more.
    offline
        Never touch the network; only `hf:` ever does.

    Raises `MissingError` for a data set of the catalogue that is not on disk, `UsageError` for an
    unknown name, and `DataError` for data that are not what they seem.
    """
    base, at, split_file = name.partition("@")
    if base in DATASETS:
        manifest = _read_card(DATASETS.get(base), data_root, split_file if at else None)
        return relabel(manifest, classes) if classes else manifest
    if name.startswith(hub.PREFIX):
        return hub.read(name, classes=classes, offline=offline)
    if webdataset.is_pattern(name):
        return webdataset.read(name, classes=classes)
    path = Path(name).expanduser()
    if not path.exists():
        raise UsageError(_unknown(name, path))
    return _read_folder(path, classes) if path.is_dir() else _read_file(path, classes)


def _read_card(card: DatasetCard, data_root: Path | None, split_file: str | None) -> Manifest:
    """The data set by its own split, or by CoOp's ("coop", or the file's path)."""
    if not card.layout:
        if split_file is not None:
            raise UsageError(f"{card.name} has one split, its own; leave the @... away.")
        return card.read(None)
    root = card.locate(data_root)
    if root is None:
        where = data_root or Path("data")
        parts = ", ".join(part.partition("|")[0] for part in card.layout)
        raise MissingError(
            f"Expected {card.title} ({parts}) in {where / card.folders[0]},"
            f" but it is not there. {card.how_to_get}"
        )
    if split_file is None:
        return card.read(root)
    file = None if split_file == COOP else Path(split_file).expanduser()
    return coop.read(card, root, file, name=f"{card.name}@{COOP}")


def _unknown(name: str, path: Path) -> str:
    siblings = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
    scheme = name.partition(":")[0]
    if scheme in {"http", "https", "s3", "gs"} and ":" in name:
        return f"Expected data on this machine, got {name!r}; fetch it and give its path."
    hint = closest(name, DATASETS) or closest(path.name, siblings)
    return (
        f"Expected a data set or a path, but there is nothing called {name!r}.{hint}"
        f" Data sets: {', '.join(DATASETS)}."
    )


def _read_folder(path: Path, classes: ClassList | None) -> Manifest:
    if card := recognise(path):
        manifest = card.read(path.absolute())
        return relabel(manifest, classes) if classes else manifest
    if hub.is_saved(path):
        return hub.read(str(path.absolute()), classes=classes)
    for file in MANIFESTS:
        if (path / file).is_file():
            return replace(table.read(path / file, classes=classes), name=path.absolute().name)
    return _reader_of_folder(path)(path, classes=classes)


def _reader_of_folder(path: Path) -> Callable[..., Manifest]:
    """Shards where the folder, or one in it, holds tar files; else images."""
    for place in (path, *(p for p in path.iterdir() if p.is_dir())):
        if any(p.name.lower().endswith(webdataset.SUFFIXES) for p in place.iterdir()):
            return webdataset.read
    return folder.read


def _read_file(path: Path, classes: ClassList | None) -> Manifest:
    suffix = path.suffix.lower()
    if suffix in table_files.SUFFIXES:
        return table.read(path, classes=classes)
    if path.name.lower().endswith(webdataset.SUFFIXES):
        return webdataset.read(path, classes=classes)
    if suffix in folder.SUFFIXES:
        return folder.read(path, classes=classes)
    if suffix == ".zip":
        raise UsageError(f"Expected a folder, a table or a tar, got {path}; unzip it first.")
    tables = ", ".join(sorted(table_files.SUFFIXES))
    raise DataError(f"Expected a folder, a table ({tables}), a tar or an image, got {path}.")


@dataclass(frozen=True)
class Overview:
    """What a listing shows of data: counts, and how much of them is there.

    `splits` maps split to items; `present` of `expected` items are on disk; `where` is the root
    folder, None for data that is not there or needs none.
    """

    name: str
    classes: int
    splits: dict[str, int]
    present: int
    expected: int
    where: Path | None = None


def overview(manifest: Manifest, where: Path | None = None) -> Overview:
    """Counts of a manifest; nothing on disk is touched."""
    return Overview(
        name=manifest.name,
        classes=len(manifest.classes) if manifest.classes else 0,
        splits=manifest.splits,
        present=len(manifest),
        expected=manifest.expected or len(manifest),
        where=where,
    )
