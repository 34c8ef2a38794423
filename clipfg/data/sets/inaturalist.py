"""iNaturalist 2021 in its official layout (Van Horn et al., CVPR 2021).

train/00000_Animalia_Annelida_Clitellata_Haplotaxida_Lumbricidae_Lumbricus_terrestris/<id>.jpg ...,
and val/ (train_mini/ stands in where train/ is missing). The folders' names are the number of the
category and its taxonomy, so no JSON is needed; where train.json or val.json lies beside them, the
categories that have no folder here are named from it. Classes are scientific names.
"""

from pathlib import Path

from clipfg.data.readers import class_tables
from clipfg.data.sets.catalogue import DatasetCard, Download
from clipfg.data.sets.layouts import Item, build, expected_of, images, read_json, subfolders
from clipfg.errors import DataError
from clipfg.types import ClassList, Manifest

FOLDERS = {"train": ("train", "train_mini"), "val": ("val",)}
FIRST = "00000_Animalia_Annelida_Clitellata_Haplotaxida_Lumbricidae_Lumbricus_terrestris"
LEVELS = ("genus", "family", "order", "class", "phylum", "kingdom")


def read(root: Path | None) -> Manifest:
    """The images that are on disk. Raises `DataError` for folders of another kind."""
    assert root is not None
    places = {
        split: next((f for f in folders if (root / f).is_dir()), None)
        for split, folders in FOLDERS.items()
    }
    found = {split: subfolders(root / place) for split, place in places.items() if place}
    categories = sorted({c for folders in found.values() for c in folders} | _listed(root))
    classes = _classes(categories, root)
    labels = {category: label for label, category in enumerate(categories)}
    items = [
        Item(f"{places[split]}/{category}/{file}", split, labels[category])
        for split, folders in found.items()
        for category in folders
        for file in images(root / f"{places[split]}/{category}")
    ]
    return build(CARD, root, items, classes, expected=expected_of(CARD, items))


def _listed(root: Path) -> set[str]:
    """The folders of all categories, as the JSON file tells them; none where there is no file."""
    for file in ("val.json", "train_mini.json", "train.json"):
        if (root / file).is_file():
            try:
                return {c["image_dir_name"] for c in read_json(root / file)["categories"]}
            except (KeyError, TypeError):
                raise DataError(
                    f"Expected categories with image_dir_name in {root / file}."
                ) from None
    return set()


def _classes(categories: list[str], root: Path) -> ClassList:
    lineages: dict[str, list[str]] = {}
    for category in categories:
        parts = category.split("_")
        if len(parts) < 8 or not parts[0].isdecimal():
            raise DataError(
                "Expected folders as number_kingdom_phylum_class_order_family_genus_epithet in"
                f" {root}, got {category!r}."
            )
        name = " ".join(parts[6:])
        if name in lineages:
            name = f"{name} ({parts[5]})"
        lineages[name] = parts[6:0:-1]
    if not lineages:
        raise DataError(f"Expected folders of species in {root}, found none.")
    return ClassList(tuple(lineages), class_tables.taxonomy(lineages, LEVELS), levels=LEVELS)


CARD = DatasetCard(
    name="inaturalist",
    title="iNaturalist 2021",
    domain="plants, animals and fungi",
    classes=10000,
    splits={"train": 2_686_843, "val": 100_000},
    default_split="val",
    url="https://github.com/visipedia/inat_comp/tree/master/2021",
    licence="non-commercial research; each image has its own licence",
    how_to_get=(
        "Run `clipfg datasets pull inaturalist` for the validation images (8 GB), or get"
        " train.tar.gz (224 GB), train_mini.tar.gz or val.tar.gz by"
        " https://github.com/visipedia/inat_comp/tree/master/2021 and unpack them into one folder,"
        " inat2021, under --data-root."
    ),
    prompts="general",
    read=read,
    layout=("|".join(f"{place}/{FIRST}" for place in ("val", "train", "train_mini")),),
    folders=("inat2021", "inaturalist", "inat_2021", "iNat2021"),
    taxonomy="kingdom > phylum > class > order > family > genus > species",
    notes="Classes are scientific names.",
    downloads=(
        Download(
            "https://ml-inat-competition-datasets.s3.amazonaws.com/2021/val.tar.gz",
            "md5:f6f6e0e242e3d4c9569ba56400938afc",
        ),
    ),
)
