"""SUN397 in its official layout (Xiao et al., CVPR 2010).

SUN397/a/abbey/sun_aaalbzqrimafwbiv.jpg ..., and beside it, from Partitions.zip, Training_01.txt and
Testing_01.txt with a `/a/abbey/...` per line: 50 images of each class in each. The first of the
ten official partitions is read.
"""

import posixpath
from pathlib import Path

from clipfg.data.readers import class_tables
from clipfg.data.sets.catalogue import DatasetCard, Download
from clipfg.data.sets.layouts import build, in_lists
from clipfg.types import Manifest

FOLDER = "SUN397"


def read(root: Path) -> Manifest:
    """The images of partition 1 that are on disk."""
    lists = {"train": root / "Training_01.txt", "test": root / "Testing_01.txt"}
    folders = class_tables.folders("sun397")
    items = in_lists(lists, folders, lambda line: (f"{FOLDER}{line}", posixpath.dirname(line)))
    return build(CARD, root, items, class_tables.class_list("sun397"))


CARD = DatasetCard(
    name="sun397",
    title="SUN397",
    domain="scenes",
    classes=397,
    splits={"train": 19850, "test": 19850},
    url="https://vision.princeton.edu/projects/2010/SUN/",
    licence="for research; the images belong to their authors",
    prompts="scenes",
    read=read,
    layout=(FOLDER, "Training_01.txt", "Testing_01.txt"),
    folders=("sun397", "SUN397"),
    class_list=lambda: class_tables.class_list("sun397"),
    notes="Partition 1 of the ten official ones.",
    coop=("SUN397", FOLDER),
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
