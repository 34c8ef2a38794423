"""Pl@ntNet-300K in its official layout (Garcin et al., NeurIPS Datasets and Benchmarks 2021).

images/train/1355868/<hash>.jpg ..., val and test likewise; plantnet300K_species_id_2_name.json
names each folder's species with its author ("Lactuca virosa L."). Classes are sorted by folder as
text, as in the authors' own loader; names are cut to genus and epithet where that leaves them
unique.
"""

import re
from pathlib import Path

from clipfg.data.readers import class_tables
from clipfg.data.readers.list_files import read_json
from clipfg.data.sets.catalogue import DatasetCard
from clipfg.data.sets.layouts import build_unlisted, in_folders
from clipfg.errors import DataError
from clipfg.types import Manifest

NAMES = "plantnet300K_species_id_2_name.json"


def species(official: str) -> str:
    """The name without its author: "Nepenthes × neglecta Macfarl." -> "Nepenthes × neglecta"."""
    words = official.replace("_", " ").split()
    count = 3 if len(words) > 2 and words[1] in {"×", "x"} else 2
    name = " ".join(words[:count])
    rank = re.search(r" ((?:subsp|var|f)\. [a-z-]+)", " ".join(words[count:]).join("  "))
    return f"{name} {rank[1]}" if rank else name


def read(root: Path) -> Manifest:
    """The images that are on disk. Raises `DataError` for a folder without a name."""
    official = read_json(root / NAMES)
    if not isinstance(official, dict) or not all(isinstance(n, str) for n in official.values()):
        raise DataError(f"Expected species ids with names in {root / NAMES}.")
    ids = sorted(official)
    prefix = "images/" if (root / "images").is_dir() else "images_"
    places = {split: f"{prefix}{split}" for split in ("train", "val", "test")}
    items = in_folders(root, places, ids, of=f"species in {NAMES}")
    full = [" ".join(official[id_].replace("_", " ").split()) for id_ in ids]
    short = [species(name) for name in full]
    names = [s if short.count(s) == 1 else f for s, f in zip(short, full, strict=True)]
    genera = [[name.partition(" ")[0]] for name in names]
    classes = class_tables.with_lineages(names, genera, ["genus"])
    return build_unlisted(CARD, root, items, classes)


CARD = DatasetCard(
    name="plantnet300k",
    title="Pl@ntNet-300K",
    domain="plants",
    classes=1081,
    splits={"train": 243_916, "val": 31_118, "test": 31_112},
    url="https://zenodo.org/records/5645731",
    licence="CC BY 4.0; each image has its own author and licence",
    by_hand="Get plantnet_300K.zip (32 GB) from https://zenodo.org/records/5645731 and unpack it"
    " under --data-root.",
    prompts="plants",
    read=read,
    layout=(NAMES, "images/train|images_train|images/test|images_test"),
    folders=("plantnet_300K", "plantnet300k", "plantnet_300k"),
    taxonomy="genus > species",
    notes="Species names without their authors.",
)
