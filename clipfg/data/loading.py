"""From what a person calls their data, a name or a path, to a manifest."""

from pathlib import Path

from clipfg.data.readers import folder, hub, table, table_files, webdataset
from clipfg.data.readers.labels import relabel
from clipfg.data.sets import coop
from clipfg.data.sets.catalogue import DATA_ROOT, DATASETS, DatasetCard, recognise
from clipfg.data.sources import misspelt
from clipfg.errors import DataError, MissingError, UsageError
from clipfg.registry import closest
from clipfg.types import ChoiceSet, ClassList, Manifest, Progress

MANIFESTS = tuple(
    f"{stem}{suffix}"
    for stem in ("manifest", "metadata")
    for suffix in (".csv", ".tsv", ".jsonl", ".parquet")
)
"""Tables that describe the folder that they are in."""

COOP = "coop"


def load_dataset(
    name: str,
    *,
    data_root: Path | None = None,
    classes: ClassList | None = None,
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
    offline, download
        Never use the network; or fetch a data set of the catalogue that is not on disk, where its
        publisher serves it, into `data_root` (`data/` where None). An interrupted one is resumed.
    progress
        Called with the bytes that have arrived and the bytes in all while it downloads.

    Raises `MissingError` for a data set of the catalogue that is not on disk and may not or cannot
    be downloaded, `UsageError` for an unknown name, and `DataError` for data that are not what
    they claim to be.
    """
    base, at, split_file = name.partition("@")
    if base in DATASETS:
        card = DATASETS.get(base)
        root = _locate(card, data_root, progress, download=download and not offline)
        if at:
            file = None if split_file == COOP else Path(split_file).expanduser()
            manifest = coop.read(card, root, file, name=f"{card.name}@{COOP}")
        else:
            manifest = card.read(root)
        return relabel(manifest, classes)
    if name.startswith(hub.PREFIX):
        return hub.read(name, classes=classes, offline=offline)
    if webdataset.is_pattern(name):
        return webdataset.read(name, classes=classes)
    path = Path(name).expanduser()
    if not path.exists():
        raise UsageError(_unknown(name, path))
    return _read_folder(path, classes) if path.is_dir() else _read_file(path, classes)


def load_choices(name: str, *, data_root: Path | None = None) -> ChoiceSet | None:
    """The choices of the data called `name`, a name of the catalogue or a folder in its layout.

    None for data whose items do not bring texts of their own. Raises as `load_dataset` does.
    """
    path = Path(name).expanduser()
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


def _unknown(name: str, path: Path) -> str:
    scheme = name.partition(":")[0]
    if scheme in {"http", "https", "s3", "gs"} and ":" in name:
        return f"Expected data on this machine, got {name!r}; fetch it and give its path."
    hint = closest(name, DATASETS) or misspelt(path)
    return (
        f"Expected a data set or a path, but there is nothing called {name!r}.{hint}"
        f" Data sets: {', '.join(DATASETS)}."
    )


def _read_folder(path: Path, classes: ClassList | None) -> Manifest:
    if card := recognise(path):
        return relabel(card.read(path.absolute()), classes)
    if hub.is_saved(path):
        return hub.read(str(path.absolute()), classes=classes)
    for file in MANIFESTS:
        if (path / file).is_file():
            return table.read(path / file, name=path.absolute().name, classes=classes)
    places = (path, *(p for p in path.iterdir() if p.is_dir()))
    names = (p.name.lower() for place in places for p in place.iterdir())
    sharded = any(name.endswith(webdataset.SUFFIXES) for name in names)
    return (webdataset if sharded else folder).read(path, classes=classes)


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
