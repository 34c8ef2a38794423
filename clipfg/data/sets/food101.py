"""Food-101 in its official layout (Bossard et al., ECCV 2014).

images/apple_pie/1005649.jpg ...; meta/classes.txt, and meta/train.txt and test.txt with a
`class/number` per line. The training images are deliberately left uncleaned; the test images are
clean.
"""

from pathlib import Path

from clipfg.data.readers import class_tables
from clipfg.data.readers.list_files import read_lines
from clipfg.data.sets.catalogue import DatasetCard, Download
from clipfg.data.sets.layouts import build, in_lists
from clipfg.types import Manifest


def read(root: Path) -> Manifest:
    """The images that are on disk. Raises `DataError` for a class that is not listed."""
    folders = read_lines(root / "meta/classes.txt")
    lists = {split: root / f"meta/{split}.txt" for split in ("train", "test")}
    items = in_lists(lists, folders, lambda line: (f"images/{line}.jpg", line.partition("/")[0]))
    return build(CARD, root, items, class_tables.class_list("food101", folders))


CARD = DatasetCard(
    name="food101",
    title="Food-101",
    domain="food",
    classes=101,
    splits={"train": 75750, "test": 25250},
    url="https://data.vision.ee.ethz.ch/cvl/datasets_extra/food-101/",
    licence="for research; the images belong to Foodspotting's users",
    prompts="food",
    read=read,
    layout=("images", "meta/classes.txt", "meta/train.txt", "meta/test.txt"),
    folders=("food-101", "food101"),
    class_list=lambda: class_tables.class_list("food101"),
    notes="Some training labels are deliberately left wrong.",
    coop=("Food101", "images"),
    downloads=(
        Download(
            "http://data.vision.ee.ethz.ch/cvl/food-101.tar.gz",
            "md5:85eeb15f3717b99a5da872d97d918f87",
            4_996_278_331,
        ),
    ),
)
