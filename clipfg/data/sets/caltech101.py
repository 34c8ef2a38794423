"""Caltech-101 in its official layout (Fei-Fei et al., CVPR workshop 2004).

101_ObjectCategories/accordion/image_0001.jpg ...; the class of background clutter is left out.
There is no official split: 30 of each class are for training, as the authors did, drawn by the hash
of the images' names, and the rest for testing. CoOp's 100 classes and split are caltech101@coop.
"""

from pathlib import Path

from clipfg.data.readers import class_tables
from clipfg.data.sets.catalogue import DatasetCard, Download
from clipfg.data.sets.layouts import Item, build, draw_split, expected_of, images, subfolders
from clipfg.types import ClassList, Manifest

FOLDER = "101_ObjectCategories"
TRAINING = 30


def class_list() -> ClassList:
    """The 101 classes in alphabetical order of their folders, capitals first."""
    return class_tables.class_list("caltech101")


def read(root: Path | None) -> Manifest:
    """The images that are on disk."""
    assert root is not None
    there = set(subfolders(root / FOLDER))
    items = []
    for label, row in enumerate(class_tables.rows("caltech101")):
        folder = f"{FOLDER}/{row['folder']}"
        files = images(root / folder) if row["folder"] in there else []
        paths = [f"{folder}/{file}" for file in files]
        splits = draw_split(paths, {"train": TRAINING, "test": None})
        items += [Item(p, s, label) for p, s in zip(paths, splits, strict=True)]
    return build(CARD, root, items, class_list(), expected=expected_of(CARD, items))


CARD = DatasetCard(
    name="caltech101",
    title="Caltech-101",
    domain="objects",
    classes=101,
    splits={"train": 3030, "test": 5647},
    default_split="test",
    url="https://data.caltech.edu/records/mzrjq-6wc02",
    licence="CC BY 4.0",
    how_to_get=(
        "Run `clipfg datasets pull caltech101`, or get caltech-101.zip from"
        " https://data.caltech.edu/records/mzrjq-6wc02 and unpack it, and"
        " 101_ObjectCategories.tar.gz inside it, under --data-root."
    ),
    prompts="general",
    read=read,
    layout=(f"{FOLDER}/accordion", f"{FOLDER}/yin_yang"),
    folders=("caltech-101", "caltech101", "caltech101/caltech-101"),
    class_list=class_list,
    notes="No official split: 30 of each class for training, drawn by hash. No background class.",
    downloads=(
        Download(
            "https://data.caltech.edu/records/mzrjq-6wc02/files/caltech-101.zip",
            "md5:3138e1922a9193bfa496528edbbc45d0",
            inner=("caltech-101/101_ObjectCategories.tar.gz",),
        ),
    ),
)
