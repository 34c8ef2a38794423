"""Pl@ntNet-300K in its official layout (Garcin et al., NeurIPS Datasets and Benchmarks 2021).

images/train/1355868/<hash>.jpg ..., val and test likewise; plantnet300K_species_id_2_name.json
names each folder's species with its authors ("Lactuca virosa L."). Classes are sorted by folder as
text, as by the authors' own loader; names are cut to genus and epithet where that keeps them apart.
"""

import re
from pathlib import Path

from clipfg.data.readers import class_tables
from clipfg.data.sets.catalogue import DatasetCard
from clipfg.data.sets.layouts import Item, build, expected_of, images, read_json, subfolders
from clipfg.errors import DataError
from clipfg.types import ClassList, Manifest

SPLITS = ("train", "val", "test")
NAMES = "plantnet300K_species_id_2_name.json"


def species(official: str) -> str:
    """The name without its authors: "Nepenthes × neglecta Macfarl." -> "Nepenthes × neglecta"."""
    words = official.replace("_", " ").split()
    count = 3 if len(words) > 2 and words[1] in {"×", "x"} else 2
    name = " ".join(words[:count])
    rank = re.search(r" ((?:subsp|var|f)\. [a-z-]+)", " ".join(words[count:]).join("  "))
    return f"{name} {rank[1]}" if rank else name


def read(root: Path | None) -> Manifest:
    """The images that are on disk. Raises `DataError` for a folder without a name."""
    assert root is not None
    official = read_json(root / NAMES)
    if not isinstance(official, dict) or not all(isinstance(n, str) for n in official.values()):
        raise DataError(f"Expected species numbers with names in {root / NAMES}.")
    numbers = sorted(official)
    labels = {number: label for label, number in enumerate(numbers)}
    items = []
    for split in SPLITS:
        place = f"images/{split}" if (root / "images").is_dir() else f"images_{split}"
        for folder in subfolders(root / place):
            if folder not in labels:
                raise DataError(f"Expected a species of {NAMES} in {root / place}, got {folder!r}.")
            for file in images(root / place / folder):
                items.append(Item(f"{place}/{folder}/{file}", split, labels[folder]))
    classes = _classes([official[number] for number in numbers])
    return build(CARD, root, items, classes, expected=expected_of(CARD, items))


def _classes(official: list[str]) -> ClassList:
    full = [" ".join(name.replace("_", " ").split()) for name in official]
    short = [species(name) for name in official]
    names = [s if short.count(s) == 1 else f for s, f in zip(short, full, strict=True)]
    lineages = {name: [name.partition(" ")[0]] for name in names}
    if len(lineages) != len(names):
        raise DataError(f"Expected each species once in {NAMES}.")
    return ClassList(tuple(names), class_tables.taxonomy(lineages, ["genus"]), levels=("genus",))


CARD = DatasetCard(
    name="plantnet300k",
    title="Pl@ntNet-300K",
    domain="plants",
    classes=1081,
    splits={"train": 243_916, "val": 31_118, "test": 31_112},
    default_split="test",
    url="https://zenodo.org/records/5645731",
    licence="CC BY 4.0; each image has its own author and licence",
    how_to_get=(
        "Get plantnet_300K.zip (32 GB) from https://zenodo.org/records/5645731 and unpack it under"
        " --data-root."
    ),
    prompts="plants",
    read=read,
    layout=(NAMES, "images/train|images_train|images/test|images_test"),
    folders=("plantnet_300K", "plantnet300k", "plantnet_300k"),
    taxonomy="genus > species",
    notes="Names without their authors.",
)
