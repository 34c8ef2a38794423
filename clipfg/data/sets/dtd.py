"""Describable Textures Dataset r1.0.1 in its official layout (Cimpoi et al., CVPR 2014).

images/banded/banded_0002.jpg ...; labels/train1.txt, val1.txt and test1.txt with a `class/image`
per line. The first of the ten official partitions is read, as is customary.
"""

from pathlib import Path

from clipfg.data.readers import class_tables
from clipfg.data.readers.list_files import read_lines
from clipfg.data.sets.catalogue import DatasetCard, Download
from clipfg.data.sets.layouts import build, in_lists
from clipfg.types import Manifest


def read(root: Path) -> Manifest:
    """The images of partition 1 that are on disk."""
    lists = {split: root / f"labels/{split}1.txt" for split in ("train", "val", "test")}
    folders = sorted({line.partition("/")[0] for p in lists.values() for line in read_lines(p)})
    items = in_lists(lists, folders, lambda line: (f"images/{line}", line.partition("/")[0]))
    return build(CARD, root, items, class_tables.class_list("dtd", folders))


CARD = DatasetCard(
    name="dtd",
    title="Describable Textures",
    domain="textures",
    classes=47,
    splits={"train": 1880, "val": 1880, "test": 1880},
    url="https://www.robots.ox.ac.uk/~vgg/data/dtd/",
    licence="for research; the images belong to their authors",
    prompts="textures",
    read=read,
    layout=("images", "labels/train1.txt", "labels/val1.txt", "labels/test1.txt"),
    folders=("dtd", "dtd/dtd"),
    class_list=lambda: class_tables.class_list("dtd"),
    notes="Partition 1 of the ten official ones.",
    coop=("DescribableTextures", "images"),
    downloads=(
        Download(
            "https://www.robots.ox.ac.uk/~vgg/data/dtd/download/dtd-r1.0.1.tar.gz",
            "md5:fff73e5086ae6bdbea199a49dfb8a4c1",
            625_239_812,
        ),
    ),
)
