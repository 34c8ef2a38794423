"""Food-101 in its official layout (Bossard et al., ECCV 2014).

images/apple_pie/1005649.jpg ...; meta/classes.txt, and meta/train.txt and test.txt with a
`class/number` per line. The training images are uncleaned on purpose; the test is clean.
"""

from pathlib import Path

from clipfg.data.readers import class_tables
from clipfg.data.sets.catalogue import DatasetCard, Download
from clipfg.data.sets.layouts import Item, build, read_lines
from clipfg.errors import DataError
from clipfg.types import ClassList, Manifest


def class_list() -> ClassList:
    """The 101 dishes in the order of the labels."""
    return class_tables.class_list("food101")


def read(root: Path | None) -> Manifest:
    """The images that are on disk. Raises `DataError` for a class that is not listed."""
    assert root is not None
    folders = read_lines(root / "meta/classes.txt")
    labels = {folder: label for label, folder in enumerate(folders)}
    items = []
    for split in ("train", "test"):
        path = root / f"meta/{split}.txt"
        for line in read_lines(path):
            folder = line.partition("/")[0]
            if folder not in labels:
                raise DataError(f"Expected a class of classes.txt, got {line!r} in {path}.")
            items.append(Item(f"images/{line}.jpg", split, labels[folder]))
    names = class_tables.readable(folders, "food101")
    return build(CARD, root, items, ClassList(tuple(names)))


CARD = DatasetCard(
    name="food101",
    title="Food-101",
    domain="food",
    classes=101,
    splits={"train": 75750, "test": 25250},
    default_split="test",
    url="https://data.vision.ee.ethz.ch/cvl/datasets_extra/food-101/",
    licence="for research; the images belong to Foodspotting's users",
    how_to_get=(
        "Run `clipfg datasets pull food101`, or get food-101.tar.gz from"
        " https://data.vision.ee.ethz.ch/cvl/datasets_extra/food-101/ and unpack it under"
        " --data-root."
    ),
    prompts="food",
    read=read,
    layout=("images", "meta/classes.txt", "meta/train.txt", "meta/test.txt"),
    folders=("food-101", "food101"),
    class_list=class_list,
    notes="Some labels of the training images are wrong on purpose.",
    downloads=(
        Download(
            "http://data.vision.ee.ethz.ch/cvl/food-101.tar.gz",
            "md5:85eeb15f3717b99a5da872d97d918f87",
            4_996_278_331,
        ),
    ),
)
