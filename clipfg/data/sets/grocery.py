"""The Grocery Store Dataset in its official layout (Klasson et al., WACV 2019).

The folder dataset/ of the repository: classes.csv names 81 fine and 43 coarse classes, and
train.txt, val.txt and test.txt have `train/Fruit/Apple/Granny-Smith/Granny-Smith_001.jpg, 1, 0` per
line: path, fine class, coarse class. The paper has no val; the repository added it later.
"""

from pathlib import Path

from clipfg.data.readers import class_tables
from clipfg.data.readers.list_files import in_order, read_fields
from clipfg.data.sets.catalogue import DatasetCard
from clipfg.data.sets.layouts import Item, build
from clipfg.types import Manifest


def read(root: Path) -> Manifest:
    """The images that are on disk. Raises `DataError` for lists that are not as described."""
    items = []
    for split in ("train", "val", "test"):
        path = root / f"{split}.txt"
        if path.is_file():
            rows = read_fields(path, r"(.+?)\s*,\s*(\d+)\s*,.*", "a path and two classes")
            items += [Item(file, split, int(number)) for file, number in rows]
    table = root / "classes.csv"
    rows = read_fields(table, r"([^,]+),(\d+),.*", "a name, its number and a coarse name", skip=1)
    names = in_order({int(number): name for name, number in rows}, table)
    return build(CARD, root, items, class_tables.class_list("grocery", names))


CARD = DatasetCard(
    name="grocery",
    title="Grocery Store",
    domain="groceries",
    classes=81,
    splits={"train": 2640, "val": 296, "test": 2485},
    url="https://github.com/marcusklasson/GroceryStoreDataset",
    licence="MIT",
    by_hand="Run `git clone https://github.com/marcusklasson/GroceryStoreDataset` in --data-root.",
    prompts="groceries",
    read=read,
    layout=("classes.csv", "train.txt", "test.txt", "train/Fruit|test/Fruit"),
    folders=(
        "GroceryStoreDataset/dataset",
        "GroceryStoreDataset-master/dataset",
        "grocery/dataset",
        "grocery",
    ),
    class_list=lambda: class_tables.class_list("grocery"),
    taxonomy="coarse > fine",
)
