"""The register of data sets that are called by name, and what is known of each.

A new one is a file with a `CARD`, and one line here.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from clipfg.registry import Registry
from clipfg.types import ClassList, Manifest


@dataclass(frozen=True)
class Download:
    """A file that the publisher serves.

    Parameters
    ----------
    url, size
        Where it is, and its length in bytes where that is published (0: not known).
    digest
        `md5:...` or `sha256:...` as published with it, or recorded by torchvision or TensorFlow
        Datasets; a download that differs is never unpacked.
    inner
        Archives inside it that are unpacked too, each where it lies.
    """

    url: str
    digest: str
    size: int = 0
    inner: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        """The file's name."""
        return self.url.rpartition("/")[2].partition("?")[0]


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
        Paths below the root, all of which an official layout has (`a|b`: either); none for data
        that needs none.
    folders
        What the root folder is usually called; the first is where a download is put.
    class_list
        The classes, where they are known without the data at hand.
    taxonomy
        The levels above the classes, outermost first ("order > family > species"), or nothing.
    notes
        What a reader of figures must know: a split that is not the publisher's, a mended name.
    downloads
        What `clipfg datasets pull` fetches; none where the files need consent or a browser.
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
    class_list: Callable[[], ClassList] | None = None
    taxonomy: str = ""
    notes: str = ""
    downloads: tuple[Download, ...] = ()

    @property
    def images(self) -> int:
        """Images in all official splits."""
        return sum(self.splits.values())

    def holds(self, folder: Path) -> bool:
        """Whether `folder` has this data set's official layout."""
        return bool(self.layout) and all(
            any((folder / either).exists() for either in part.split("|")) for part in self.layout
        )

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
DATASETS.register("synthflora", "clipfg.data.sets.synthflora:CARD")
DATASETS.register("flowers102", "clipfg.data.sets.flowers102:CARD")
DATASETS.register("cub200", "clipfg.data.sets.cub200:CARD")
DATASETS.register("oxford-pets", "clipfg.data.sets.oxford_pets:CARD")
DATASETS.register("stanford-cars", "clipfg.data.sets.stanford_cars:CARD")
DATASETS.register("fgvc-aircraft", "clipfg.data.sets.fgvc_aircraft:CARD")
DATASETS.register("food101", "clipfg.data.sets.food101:CARD")
DATASETS.register("stanford-dogs", "clipfg.data.sets.stanford_dogs:CARD")
DATASETS.register("dtd", "clipfg.data.sets.dtd:CARD")
DATASETS.register("eurosat", "clipfg.data.sets.eurosat:CARD")
DATASETS.register("caltech101", "clipfg.data.sets.caltech101:CARD")
DATASETS.register("sun397", "clipfg.data.sets.sun397:CARD")
DATASETS.register("ucf101", "clipfg.data.sets.ucf101:CARD")
DATASETS.register("nabirds", "clipfg.data.sets.nabirds:CARD")
DATASETS.register("inaturalist", "clipfg.data.sets.inaturalist:CARD")
DATASETS.register("imagenet", "clipfg.data.sets.imagenet:CARD")
DATASETS.register("imagenet-v2", "clipfg.data.sets.imagenet_v2:CARD")
DATASETS.register("grocery", "clipfg.data.sets.grocery:CARD")
DATASETS.register("plantnet300k", "clipfg.data.sets.plantnet300k:CARD")
DATASETS.register("resisc45", "clipfg.data.sets.resisc45:CARD")
DATASETS.register("country211", "clipfg.data.sets.country211:CARD")


def recognise(folder: Path) -> DatasetCard | None:
    """The data set whose official layout `folder` has, whatever it is called; else None."""
    cards = [card for name in DATASETS if (card := DATASETS.get(name)).holds(folder)]
    # CUB's lists are among NABirds': where two fit, the one that asks for more is meant.
    return max(cards, key=lambda card: len(card.layout), default=None)
