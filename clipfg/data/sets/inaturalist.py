"""iNaturalist 2021 in its official layout (Van Horn et al., CVPR 2021).

train/00000_Animalia_Annelida_Clitellata_Haplotaxida_Lumbricidae_Lumbricus_terrestris/<id>.jpg ...,
and val/ (train_mini/ where train/ is missing). A folder's name holds the category's number and its
taxonomy, so no JSON is needed; where train.json or val.json is beside the folders, it supplies the
categories that have no folder on disk. Classes are scientific names.
"""

from pathlib import Path

from clipfg.data.readers import class_tables
from clipfg.data.readers.list_files import read_json
from clipfg.data.sets.catalogue import DatasetCard, Download
from clipfg.data.sets.layouts import build_unlisted, in_folders, subfolders
from clipfg.errors import DataError
from clipfg.types import ClassList, Manifest

FIRST = "00000_Animalia_Annelida_Clitellata_Haplotaxida_Lumbricidae_Lumbricus_terrestris"
LEVELS = ("genus", "family", "order", "class", "phylum", "kingdom")


def read(root: Path) -> Manifest:
    """The images that are on disk. Raises `DataError` for folders of another kind."""
    places = {"train": "train" if (root / "train").is_dir() else "train_mini", "val": "val"}
    there = {category for place in places.values() for category in subfolders(root / place)}
    categories = sorted(there | _listed(root))
    items = in_folders(root, places, categories, of="species")
    return build_unlisted(CARD, root, items, _classes(categories, root))


def _listed(root: Path) -> set[str]:
    """The folders of all categories, from a JSON file; none where there is no such file."""
    for file in ("val.json", "train_mini.json", "train.json"):
        path = root / file
        if path.is_file():
            try:
                return {c["image_dir_name"] for c in read_json(path)["categories"]}
            except (KeyError, TypeError):
                raise DataError(f"Expected categories with image_dir_name in {path}.") from None
    return set()


def _classes(categories: list[str], root: Path) -> ClassList:
    lineages: dict[str, list[str]] = {}
    for category in categories:
        parts = category.split("_")
        if len(parts) < 8 or not parts[0].isdecimal():
            raise DataError(
                "Expected folders named number_kingdom_phylum_class_order_family_genus_epithet in"
                f" {root}, got {category!r}."
            )
        name = " ".join(parts[6:])
        lineages[f"{name} ({parts[5]})" if name in lineages else name] = parts[6:0:-1]
    if not lineages:
        raise DataError(f"Expected folders of species in {root}, found none.")
    return class_tables.with_lineages(list(lineages), list(lineages.values()), LEVELS)


CARD = DatasetCard(
    name="inaturalist",
    title="iNaturalist 2021",
    domain="plants, animals and fungi",
    classes=10000,
    splits={"train": 2_686_843, "val": 100_000},
    default_split="val",
    url="https://github.com/visipedia/inat_comp/tree/master/2021",
    licence="non-commercial research; each image has its own licence",
    by_hand="Get train.tar.gz (224 GB), train_mini.tar.gz or val.tar.gz by"
    " https://github.com/visipedia/inat_comp/tree/master/2021 and unpack them into one folder,"
    " inat2021, under --data-root.",
    prompts="general",
    read=read,
    layout=("|".join(f"{place}/{FIRST}" for place in ("val", "train", "train_mini")),),
    folders=("inat2021", "inaturalist", "inat_2021", "iNat2021"),
    taxonomy="kingdom > phylum > class > order > family > genus > species",
    notes="Classes are scientific names. The download has the validation images only.",
    downloads=(
        Download(
            "https://ml-inat-competition-datasets.s3.amazonaws.com/2021/val.tar.gz",
            "md5:f6f6e0e242e3d4c9569ba56400938afc",
            8_400_000_000,
        ),
    ),
)
