"""The register of data sets that are called by name, and what is known of each.

A new one is a file with a `CARD`, and one line here.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from clipfg.registry import Registry
from clipfg.types import Manifest


@dataclass(frozen=True)
class DatasetCard:
    """A data set's facts and its reader.

    Parameters
    ----------
    name, title, domain
        What it is called on the command line and in full, and what it shows.
    classes, splits
        Class count and sizes of the official splits.
    default_split
        What an evaluation uses unless told otherwise.
    url, licence, how_to_get
        The publisher's page, the terms, and how a person gets the files, in a sentence.
    prompts
        The prompt set that suits it.
    read
        Root folder of the official layout to manifest; the folder is None for data that needs
        none.
    layout
        Paths below the root, all of which an official layout has; none for data that needs none.
    folders
        What the root folder is usually called.
    """

    name: str
    title: str
    domain: str
    classes: int
    splits: Mapping[str, int]
    default_split: str
    url: str
    licence: str
    how_to_get: str
    prompts: str
    read: Callable[[Path | None], Manifest]
    layout: tuple[str, ...] = ()
    folders: tuple[str, ...] = field(default=())

    @property
    def images(self) -> int:
        """Pictures in all official splits."""
        return sum(self.splits.values())

    def holds(self, folder: Path) -> bool:
        """Whether `folder` has this data set's official layout."""
        return bool(self.layout) and all((folder / part).exists() for part in self.layout)

    def locate(self, data_root: Path | None = None) -> Path | None:
        """The root folder on disk, or None: under `data_root`, else `data/` and here."""
        for place in self.places(data_root):
            if self.holds(place):
                return place.absolute()
        return None

    def places(self, data_root: Path | None = None) -> list[Path]:
        """Where `locate` looks, in order: the usual folders, then the root as the layout itself."""
        roots = [Path("data"), Path()] if data_root is None else [data_root]
        return [Path(os.path.normpath(r / f)) for r in roots for f in (*self.folders, ".")]


DATASETS: Registry[DatasetCard] = Registry("data set", "clipfg.datasets")
DATASETS.register("synthflora", "clipfg.data.drawn_set:CARD")
DATASETS.register("flowers102", "clipfg.data.flowers102:CARD")
DATASETS.register("cub200", "clipfg.data.cub200:CARD")
