"""Stanford Cars in its official layout (Krause et al., 3dRR 2013).

cars_train/00001.jpg ... and cars_test/; devkit/cars_meta.mat names the classes,
devkit/cars_train_annos.mat and cars_test_annos_withlabels.mat hold boxes and classes, both counted
from 1. The names are the official ones, "Make Model Type Year".
"""

from pathlib import Path
from typing import Any

from clipfg.data.readers import class_tables
from clipfg.data.readers.list_files import read_mat
from clipfg.data.sets.catalogue import DatasetCard
from clipfg.data.sets.layouts import Item, build
from clipfg.errors import DataError
from clipfg.types import Manifest


def read(root: Path) -> Manifest:
    """The images that are on disk, with their boxes as corners counted from 0."""
    names = [str(name) for name in read_mat(root / "devkit/cars_meta.mat", "class_names")]
    test = root / "cars_test_annos_withlabels.mat"
    lists = {
        "train": root / "devkit/cars_train_annos.mat",
        "test": test if test.is_file() else root / "devkit" / test.name,
    }
    items = [item for split, path in lists.items() for item in _annotated(root, split, path)]
    return build(CARD, root, items, class_tables.class_list("stanford_cars", names))


def _annotated(root: Path, split: str, path: Path) -> list[Item]:
    folder = f"cars_{split}"
    if (root / folder / folder).is_dir():  # as mirrors pack it
        folder = f"{folder}/{folder}"
    try:
        return [
            Item(f"{folder}/{row['fname']}", split, int(row["class"]) - 1, _corners(row))
            for row in read_mat(path, "annotations")
        ]
    except (ValueError, IndexError, TypeError) as error:
        raise DataError(f"Expected boxes, classes and names in {path}, got {error}.") from None


def _corners(row: Any) -> tuple[int, int, int, int]:
    x0, y0, x1, y1 = (int(row[f"bbox_{corner}"]) for corner in ("x1", "y1", "x2", "y2"))
    return x0 - 1, y0 - 1, x1, y1


CARD = DatasetCard(
    name="stanford-cars",
    title="Stanford Cars",
    domain="cars",
    classes=196,
    splits={"train": 8144, "test": 8041},
    url="https://ai.stanford.edu/~jkrause/cars/car_dataset.html",
    licence="non-commercial research",
    by_hand="The publisher's links are dead. Get the images and the devkit from a mirror (Kaggle"
    " has several under the name Stanford Cars; https://www.kaggle.com/datasets) and put"
    " cars_train/, cars_test/, devkit/ and cars_test_annos_withlabels.mat into one folder,"
    " stanford_cars, under --data-root.",
    prompts="cars",
    read=read,
    layout=(
        "devkit/cars_meta.mat",
        "devkit/cars_train_annos.mat",
        "cars_test_annos_withlabels.mat|devkit/cars_test_annos_withlabels.mat",
    ),
    folders=("stanford_cars", "stanford-cars", "cars"),
    class_list=lambda: class_tables.class_list("stanford_cars"),
    taxonomy="make > model > type and year",
    coop=("StanfordCars", "."),
)
