"""The registry of published data sets by name, and the facts on each one's card.

A new one is a file with a `CARD` and its name here; see docs/architecture.md.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from clipfg.registry import Registry
from clipfg.types import ChoiceSet, ClassList, Manifest

DATA_ROOT = Path("data")
"""Where downloads go, and where data sets are looked for first, unless a folder is named."""


@dataclass(frozen=True)
class Download:
    """A file that the publisher serves.

    `digest` is `md5:...` or `sha256:...` as published with it, or recorded by torchvision or
    TensorFlow Datasets; a download that differs is never unpacked. `size` is its length in bytes,
    as exactly as that is published; 0 where it is not. `inner` are archives in it to unpack too.
    """

    url: str
    digest: str
    size: int = 0
    inner: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        """The file's name."""
        return self.url.rpartition("/")[2].partition("?")[0]


@dataclass(frozen=True, kw_only=True)
class DatasetCard:
    """A data set's facts and its reader.

    Parameters
    ----------
    name, title, domain
        Its name on the command line and in full, and what its images show.
    classes, splits, default_split
        Class count, sizes of the official splits, and the one evaluated unless another is named;
        for data of choices 0, their sizes by subset where published, and "all".
    url, licence, prompts
        The publisher's page, the terms, and the prompt set that suits it.
    read
        Root folder of the official layout to manifest; data without a layout ignore the folder.
    choices
        The same to the choices of data whose items bring their own texts; None for any other.
    layout
        Paths below the root, all of which an official layout has (`a|b`: either); none for data
        that need no files.
    is_own
        Whether a folder with that layout holds this data set, where other data use the same names.
    folders
        Usual names of the root folder; downloads are put into the first.
    class_list, taxonomy
        The classes, where they are known without the data at hand, and the levels above them,
        outermost first ("order > family > species").
    notes
        What a reader of its figures must know: a split that is not the publisher's, a corrected
        class name.
    coop
        What CoOp calls it, and the folder below the root that the paths of its split file start
        from; None where CoOp published no split.
    downloads, by_hand
        What `clipfg datasets pull` fetches, none where the files need consent or a browser; and
        how a person gets the files, in a sentence, derived from `downloads` where blank.
    """

    name: str
    title: str
    domain: str
    classes: int = 0
    splits: Mapping[str, int] = field(default_factory=dict)
    default_split: str = "test"
    url: str
    licence: str
    prompts: str = "general"
    read: Callable[[Path], Manifest]
    choices: Callable[[Path], ChoiceSet] | None = None
    layout: tuple[str, ...] = ()
    is_own: Callable[[Path], bool] | None = None
    folders: tuple[str, ...] = ()
    class_list: Callable[[], ClassList] | None = None
    taxonomy: str = ""
    notes: str = ""
    coop: tuple[str, str] | None = None
    downloads: tuple[Download, ...] = ()
    by_hand: str = ""

    @property
    def images(self) -> int:
        """Images in all official splits."""
        return sum(self.splits.values())

    @property
    def contents(self) -> tuple[str, ...]:
        """What the root folder of the official layout holds."""
        return tuple(part.partition("|")[0] for part in self.layout)

    @property
    def size(self) -> str:
        """Size of all downloads ("345 MB"); blank where there are none or it is not known."""
        sizes = [download.size for download in self.downloads]
        if not sizes or not all(sizes):
            return ""
        megabytes = sum(sizes) / 1e6
        return f"{megabytes:.0f} MB" if megabytes < 1000 else f"{megabytes / 1000:.3g} GB"

    @property
    def how_to_get(self) -> str:
        """How a person gets the files, in a sentence."""
        if not self.downloads:
            return self.by_hand
        files = [download.file for download in self.downloads]
        *others, last = files
        listed, them = (f"{', '.join(others)} and {last}", "them") if others else (last, "it")
        by_hand = self.by_hand or (
            f"Get {listed} from {self.url} and unpack {them} to {self.folders[0]}/ under"
            " --data-root."
        )
        size = f" ({self.size})" if self.size else ""
        return f"Run `clipfg datasets pull {self.name}`{size}, or {by_hand[0].lower()}{by_hand[1:]}"

    def holds(self, folder: Path) -> bool:
        """Whether `folder` has this data set's official layout."""
        there = bool(self.layout) and all(
            any((folder / either).exists() for either in part.split("|")) for part in self.layout
        )
        return there and (self.is_own is None or self.is_own(folder))

    def locate(self, data_root: Path | None = None) -> Path | None:
        """The root folder on disk, or None: one of the usual folders, then the root itself.

        They are below `data_root`, or below `data/` and the working folder where that is None.
        """
        roots = [DATA_ROOT, Path()] if data_root is None else [data_root]
        places = (Path(os.path.normpath(r / f)) for r in roots for f in (*self.folders, "."))
        return next((place.absolute() for place in places if self.holds(place)), None)


DATASETS: Registry[DatasetCard] = Registry("data set", "clipfg.datasets")
for _name in (
    *(
        "synthflora",
        "synthflora-captions",
        "synthflora-plants",
        "flowers102",
        "cub200",
        "oxford-pets",
        "stanford-cars",
    ),
    *(
        "fgvc-aircraft",
        "food101",
        "stanford-dogs",
        "dtd",
        "eurosat",
        "caltech101",
        "sun397",
        "ucf101",
        "nabirds",
    ),
    *("inaturalist", "imagenet", "imagenet-v2", "grocery", "plantnet300k", "resisc45"),
    *("country211", "fgovd", "sugarcrepe", "winoground", "aro"),
):
    DATASETS.register(_name, f"clipfg.data.sets.{_name.replace('-', '_')}:CARD")


def recognise(folder: Path) -> DatasetCard | None:
    """The data set whose official layout `folder` has, whatever its name; else None."""
    cards = [card for name in DATASETS if (card := DATASETS.get(name)).holds(folder)]
    # NABirds has CUB's lists and more: where two layouts fit, the larger one counts.
    return max(cards, key=lambda card: len(card.layout), default=None)
