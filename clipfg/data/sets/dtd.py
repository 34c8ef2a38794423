"""Describable Textures Dataset r1.0.1 in its official layout (Cimpoi et al., CVPR 2014).

images/banded/banded_0002.jpg ...; labels/train1.txt, val1.txt and test1.txt with a `class/image`
per line. Of the ten official partitions the first is read, as is the custom.
"""

from pathlib import Path

from clipfg.data.readers import class_tables
from clipfg.data.sets.catalogue import DatasetCard, Download
from clipfg.data.sets.layouts import Item, build, read_lines
from clipfg.types import ClassList, Manifest


def class_list() -> ClassList:
    """The 47 textures in alphabetical order, which is the order of the labels."""
    return class_tables.class_list("dtd")


def read(root: Path | None) -> Manifest:
    """The images of partition 1 that are on disk."""
    assert root is not None
    lists = {s: read_lines(root / f"labels/{s}1.txt") for s in ("train", "val", "test")}
    folders = sorted({line.partition("/")[0] for lines in lists.values() for line in lines})
    labels = {folder: label for label, folder in enumerate(folders)}
    items = [
        Item(f"images/{line}", split, labels[line.partition("/")[0]])
        for split, lines in lists.items()
        for line in lines
    ]
    return build(CARD, root, items, ClassList(tuple(class_tables.readable(folders, "dtd"))))


CARD = DatasetCard(
    name="dtd",
    title="Describable Textures",
    domain="textures",
    classes=47,
    splits={"train": 1880, "val": 1880, "test": 1880},
    default_split="test",
    url="https://www.robots.ox.ac.uk/~vgg/data/dtd/",
    licence="for research; the images belong to their authors",
    how_to_get=(
        "Run `clipfg datasets pull dtd`, or get dtd-r1.0.1.tar.gz from"
        " https://www.robots.ox.ac.uk/~vgg/data/dtd/ and unpack it under --data-root."
    ),
    prompts="textures",
    read=read,
    layout=("images", "labels/train1.txt", "labels/val1.txt", "labels/test1.txt"),
    folders=("dtd", "dtd/dtd"),
    class_list=class_list,
    notes="Partition 1 of the ten official ones.",
    downloads=(
        Download(
            "https://www.robots.ox.ac.uk/~vgg/data/dtd/download/dtd-r1.0.1.tar.gz",
            "md5:fff73e5086ae6bdbea199a49dfb8a4c1",
            625_239_812,
        ),
    ),
)
