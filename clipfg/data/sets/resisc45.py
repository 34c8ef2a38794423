"""NWPU-RESISC45 in its official layout (Cheng et al., Proc. IEEE 2017).

NWPU-RESISC45/airplane/airplane_001.jpg ...: 700 aerial images of each class, 256 x 256. There is
no official split: that of Neumann et al. (arXiv 1911.06721) is read where its lists
resisc45-train.txt, -val.txt and -test.txt lie in or beside the folder, else a split of the same
sizes (60, 20 and 20 per cent) is drawn by the hash of the images' names.
"""

from pathlib import Path

from clipfg.data.readers import class_tables
from clipfg.data.sets.catalogue import DatasetCard, Download
from clipfg.data.sets.layouts import (
    Item,
    build,
    draw_split,
    expected_of,
    images,
    read_lines,
    subfolders,
)
from clipfg.errors import DataError
from clipfg.types import ClassList, Manifest

SPLITS = ("train", "val", "test")
MIRROR = (
    "https://huggingface.co/datasets/torchgeo/resisc45/resolve/"
    "a826b44d938a883185f11ebe3d512d38b464312f"
)


def class_list() -> ClassList:
    """The 45 classes in alphabetical order of their folders."""
    return class_tables.class_list("resisc45")


def read(root: Path | None) -> Manifest:
    """The images that are on disk. Raises `DataError` for a list with another class in it."""
    assert root is not None
    folders = [row["folder"] for row in class_tables.rows("resisc45")]
    for place in (root, root.parent):
        lists = {split: place / f"resisc45-{split}.txt" for split in SPLITS}
        if all(path.is_file() for path in lists.values()):
            items = _listed(lists, folders)
            return build(CARD, root, items, class_list(), expected=len(items))
    there = set(subfolders(root))
    items = []
    for label, folder in enumerate(folders):
        files = images(root / folder) if folder in there else []
        paths = [f"{folder}/{file}" for file in files]
        sizes = {"train": len(paths) * 3 // 5, "val": len(paths) // 5, "test": None}
        items += [Item(p, s, label) for p, s in zip(paths, draw_split(paths, sizes), strict=True)]
    return build(CARD, root, items, class_list(), expected=expected_of(CARD, items))


def _listed(lists: dict[str, Path], folders: list[str]) -> list[Item]:
    """Lines are names of images, "airplane_001.jpg"; the folder is the name up to its number."""
    labels = {folder: label for label, folder in enumerate(folders)}
    items = []
    for split, path in lists.items():
        for file in read_lines(path):
            folder = file.rpartition("_")[0]
            if folder not in labels:
                raise DataError(f"Expected an image of a RESISC45 class, got {file!r} in {path}.")
            items.append(Item(f"{folder}/{file}", split, labels[folder]))
    return items


CARD = DatasetCard(
    name="resisc45",
    title="NWPU-RESISC45",
    domain="satellite",
    classes=45,
    splits={"train": 18900, "val": 6300, "test": 6300},
    default_split="test",
    url="https://gcheng-nwpu.github.io/",
    licence="for research",
    how_to_get=(
        "Run `clipfg datasets pull resisc45` (torchgeo's copy, with the lists of the split), or get"
        " NWPU-RESISC45.rar by the link at https://gcheng-nwpu.github.io/ and unpack it under"
        " --data-root."
    ),
    prompts="satellite",
    read=read,
    layout=("airplane", "circular_farmland", "ground_track_field", "thermal_power_station"),
    folders=("NWPU-RESISC45", "resisc45/NWPU-RESISC45", "resisc45"),
    class_list=class_list,
    downloads=tuple(
        Download(f"{MIRROR}/{file}", f"md5:{md5}")
        for file, md5 in {
            "NWPU-RESISC45.zip": "75206b2e16446591afa88e2628744886",
            "resisc45-train.txt": "b5a4c05a37de15e4ca886696a85c403e",
            "resisc45-val.txt": "a0770cee4c5ca20b8c32bbd61e114805",
            "resisc45-test.txt": "3dda9e4988b47eb1de9f07993653eb08",
        }.items()
    ),
    notes="No official split: Neumann et al.'s where its lists are there, else drawn by hash.",
)
