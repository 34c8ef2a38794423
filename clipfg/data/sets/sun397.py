"""SUN397 in its official layout (Xiao et al., CVPR 2010).

SUN397/a/abbey/sun_aaalbzqrimafwbiv.jpg ..., and beside it, from Partitions.zip, Training_01.txt and
Testing_01.txt with a `/a/abbey/...` per line: 50 images of each class in each. The first of the
ten official partitions is read.
"""

import posixpath
from pathlib import Path

from clipfg.data.readers import class_tables
from clipfg.data.sets.catalogue import DatasetCard, Download
from clipfg.data.sets.layouts import Item, build, read_lines
from clipfg.errors import DataError
from clipfg.types import ClassList, Manifest

FOLDER = "SUN397"


def class_list() -> ClassList:
    """The 397 scenes in alphabetical order of their folders."""
    return class_tables.class_list("sun397")


def read(root: Path | None) -> Manifest:
    """The images of partition 1 that are on disk."""
    assert root is not None
    labels = {row["folder"]: label for label, row in enumerate(class_tables.rows("sun397"))}
    items = []
    for split, file in {"train": "Training_01.txt", "test": "Testing_01.txt"}.items():
        path = root / file
        for line in read_lines(path):
            scene = posixpath.dirname(line)
            if scene not in labels:
                raise DataError(f"Expected an image of a SUN397 scene, got {line!r} in {path}.")
            items.append(Item(f"{FOLDER}{line}", split, labels[scene]))
    return build(CARD, root, items, class_list())


CARD = DatasetCard(
    name="sun397",
    title="SUN397",
    domain="scenes",
    classes=397,
    splits={"train": 19850, "test": 19850},
    default_split="test",
    url="https://vision.princeton.edu/projects/2010/SUN/",
    licence="for research; the images belong to their authors",
    how_to_get=(
        "Run `clipfg datasets pull sun397` (39 GB), or get SUN397.tar.gz and Partitions.zip from"
        " https://vision.princeton.edu/projects/2010/SUN/ and unpack both into one folder, sun397,"
        " under --data-root."
    ),
    prompts="scenes",
    read=read,
    layout=(FOLDER, "Training_01.txt", "Testing_01.txt"),
    folders=("sun397", "SUN397"),
    class_list=class_list,
    notes="Partition 1 of the ten official ones.",
    downloads=(
        Download(
            "https://vision.princeton.edu/projects/2010/SUN/SUN397.tar.gz",
            "md5:8ca2778205c41d23104230ba66911c7a",
            39_077_296_924,
        ),
        Download(
            "https://vision.princeton.edu/projects/2010/SUN/download/Partitions.zip",
            "sha256:e3311ea5f812d4cc6faef194688343d1111f6cd6f70f2c62f393c2b8d6ba1ec9",
            18_293_705,
        ),
    ),
)
