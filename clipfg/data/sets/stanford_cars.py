"""Stanford Cars in its official layout (Krause et al., 3dRR 2013).

cars_train/00001.jpg ... and cars_test/; devkit/cars_meta.mat names the classes,
devkit/cars_train_annos.mat and cars_test_annos_withlabels.mat hold boxes and classes, both counted
from 1. The names are the official ones, "Make Model Type Year".
"""

import re
from pathlib import Path

from clipfg.data.readers import class_tables
from clipfg.data.sets.catalogue import DatasetCard
from clipfg.data.sets.layouts import Item, build, read_mat
from clipfg.errors import DataError
from clipfg.types import ClassList, Manifest

LEVELS = ("model", "make")
LONG_MAKES = ("AM General", "Aston Martin", "Land Rover")
TYPES = (
    *("Crew Cab", "Extended Cab", "Regular Cab", "Club Cab", "Quad Cab", "SuperCab"),
    *("Convertible", "Coupe", "Hatchback", "Minivan", "Sedan", "SUV", "Van", "Wagon"),
)
"""Bodies that end a name before its year; a version ("SS", "Type-S") is part of the model."""


def lineage(name: str) -> tuple[str, str]:
    """Model and make: "Audi S4 Sedan 2007" -> ("Audi S4", "Audi")."""
    make = next((m for m in LONG_MAKES if name.startswith(f"{m} ")), name.partition(" ")[0])
    model = re.sub(r" \d{4}$", "", name)
    body = next((t for t in TYPES if model.endswith(f" {t}")), "")
    return model.removesuffix(f" {body}") if body else model, make


def _classes(names: list[str]) -> ClassList:
    lineages = {name: lineage(name) for name in names}
    return ClassList(tuple(names), class_tables.taxonomy(lineages, LEVELS), levels=LEVELS)


def class_list() -> ClassList:
    """The 196 cars in the order of the labels, with model and make."""
    return _classes([row["name"] for row in class_tables.rows("stanford_cars")])


def read(root: Path | None) -> Manifest:
    """The images that are on disk, with their boxes as corners counted from 0."""
    assert root is not None
    names = [str(n) for n in read_mat(root / "devkit/cars_meta.mat", "class_names")]
    test = root / "cars_test_annos_withlabels.mat"
    lists = {
        "train": root / "devkit/cars_train_annos.mat",
        "test": test if test.is_file() else root / "devkit" / test.name,
    }
    items = []
    for split, path in lists.items():
        folder = f"cars_{split}"
        if (root / folder / folder).is_dir():  # as mirrors pack it
            folder = f"{folder}/{folder}"
        for row in read_mat(path, "annotations"):
            try:
                label = int(row["class"]) - 1
                x0, y0, x1, y1 = (int(row[f"bbox_{k}"]) for k in ("x1", "y1", "x2", "y2"))
                file = str(row["fname"])
            except (ValueError, IndexError, TypeError) as error:
                raise DataError(
                    f"Expected boxes, classes and names in {path}, got {error}."
                ) from None
            items.append(Item(f"{folder}/{file}", split, label, (x0 - 1, y0 - 1, x1, y1)))
    return build(CARD, root, items, _classes(names))


CARD = DatasetCard(
    name="stanford-cars",
    title="Stanford Cars",
    domain="cars",
    classes=196,
    splits={"train": 8144, "test": 8041},
    default_split="test",
    url="https://ai.stanford.edu/~jkrause/cars/car_dataset.html",
    licence="non-commercial research",
    how_to_get=(
        "The publisher's links are dead. Get the images and the devkit from a mirror (Kaggle has"
        " several under the name Stanford Cars; https://www.kaggle.com/datasets) and lay them out"
        " as cars_train/, cars_test/, devkit/ and cars_test_annos_withlabels.mat in one folder,"
        " stanford_cars, under --data-root."
    ),
    prompts="cars",
    read=read,
    layout=(
        "devkit/cars_meta.mat",
        "devkit/cars_train_annos.mat",
        "cars_test_annos_withlabels.mat|devkit/cars_test_annos_withlabels.mat",
    ),
    folders=("stanford_cars", "stanford-cars", "cars"),
    class_list=class_list,
    taxonomy="make > model > type and year",
)
