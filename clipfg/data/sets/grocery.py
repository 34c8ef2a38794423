"""The Grocery Store Dataset in its official layout (Klasson et al., WACV 2019).

The folder dataset/ of the repository: classes.csv names 81 fine and 43 coarse classes, and
train.txt, val.txt and test.txt have `train/Fruit/Apple/Granny-Smith/Granny-Smith_001.jpg, 1, 0` per
line: path, fine class, coarse class. The paper knows no val; the repository added it later.
"""

import csv
from pathlib import Path

from clipfg.data.readers import class_tables
from clipfg.data.sets.catalogue import DatasetCard
from clipfg.data.sets.layouts import Item, build, in_order, read_lines
from clipfg.errors import DataError
from clipfg.types import ClassList, Manifest

SPLITS = ("train", "val", "test")


def class_list() -> ClassList:
    """The 81 goods in the order of the labels, each in its coarse class."""
    return class_tables.class_list("grocery")


def read(root: Path | None) -> Manifest:
    """The images that are on disk. Raises `DataError` for lists that are not as described."""
    assert root is not None
    items = []
    for split in SPLITS:
        path = root / f"{split}.txt"
        for line in read_lines(path) if path.is_file() else ():
            file, *numbers = (part.strip() for part in line.split(","))
            if not numbers or not numbers[0].isdecimal():
                raise DataError(f"Expected a path and two classes, got {line!r} in {path}.")
            items.append(Item(file, split, int(numbers[0])))
    return build(CARD, root, items, _classes(root / "classes.csv"))


def _classes(path: Path) -> ClassList:
    fine: dict[int, str] = {}
    coarse: dict[int, str] = {}
    for row in csv.reader(read_lines(path)[1:]):
        if len(row) < 3 or not row[1].isdecimal():
            raise DataError(f"Expected name, number and coarse name, got {row!r:.60} in {path}.")
        fine[int(row[1])] = row[0]
        coarse[int(row[1])] = row[2].replace("-", " ")
    names = class_tables.readable(in_order(fine, path), "grocery")
    lineages = {name: [coarse[label]] for label, name in enumerate(names)}
    return ClassList(tuple(names), class_tables.taxonomy(lineages, ["group"]), levels=("group",))


CARD = DatasetCard(
    name="grocery",
    title="Grocery Store",
    domain="groceries",
    classes=81,
    splits={"train": 2640, "val": 296, "test": 2485},
    default_split="test",
    url="https://github.com/marcusklasson/GroceryStoreDataset",
    licence="MIT",
    how_to_get=(
        "Run `git clone https://github.com/marcusklasson/GroceryStoreDataset` in --data-root."
    ),
    prompts="groceries",
    read=read,
    layout=("classes.csv", "train.txt", "test.txt", "train/Fruit|test/Fruit"),
    folders=(
        "GroceryStoreDataset/dataset",
        "GroceryStoreDataset-master/dataset",
        "grocery/dataset",
        "grocery",
    ),
    class_list=class_list,
    taxonomy="coarse > fine",
)
