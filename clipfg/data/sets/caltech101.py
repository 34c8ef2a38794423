"""Caltech-101 in its official layout (Fei-Fei et al., CVPR workshop 2004).

101_ObjectCategories/accordion/image_0001.jpg ...; the class of background clutter is excluded.
There is no official split: 30 of each class are for training, as the authors did, drawn by the hash
of the images' names, and the rest for testing. CoOp's 100 classes and split are caltech101@coop.
"""

from pathlib import Path

from clipfg.data.readers import class_tables
from clipfg.data.sets.catalogue import DatasetCard, Download
from clipfg.data.sets.layouts import build_unlisted, drawn
from clipfg.types import Manifest

FOLDER = "101_ObjectCategories"


def read(root: Path) -> Manifest:
    """The images that are on disk."""
    folders = [f"{FOLDER}/{folder}" for folder in class_tables.folders("caltech101")]
    items = drawn(root, folders, lambda _: {"train": 30, "test": None})
    return build_unlisted(CARD, root, items, class_tables.class_list("caltech101"))


CARD = DatasetCard(
    name="caltech101",
    title="Caltech-101",
    domain="objects",
    classes=101,
    splits={"train": 3030, "test": 5647},
    url="https://data.caltech.edu/records/mzrjq-6wc02",
    licence="CC BY 4.0",
    prompts="general",
    read=read,
    layout=(f"{FOLDER}/accordion", f"{FOLDER}/yin_yang"),
    folders=("caltech-101", "caltech101", "caltech101/caltech-101"),
    class_list=lambda: class_tables.class_list("caltech101"),
    notes="No official split: 30 of each class for training, drawn by hash. No background class.",
    coop=("Caltech101", FOLDER),
    downloads=(
        Download(
            "https://data.caltech.edu/records/mzrjq-6wc02/files/caltech-101.zip",
            "md5:3138e1922a9193bfa496528edbbc45d0",
            137_400_000,
            inner=("caltech-101/101_ObjectCategories.tar.gz",),
        ),
    ),
)
