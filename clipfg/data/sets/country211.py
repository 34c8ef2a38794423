"""Country211 in its official layout (Radford et al., ICML 2021): where was an image taken?

train/AD/*.jpg ..., valid/ and test/ likewise, in folders called by the ISO 3166 code of a country.
The codes are turned to the countries' common English names; "valid" is called val.
"""

from pathlib import Path

from clipfg.data.readers import class_tables
from clipfg.data.sets.catalogue import DatasetCard, Download
from clipfg.data.sets.layouts import Item, build, expected_of, images, subfolders
from clipfg.errors import DataError
from clipfg.types import ClassList, Manifest

SPLITS = {"train": "train", "val": "valid", "test": "test"}


def read(root: Path | None) -> Manifest:
    """The images that are on disk. Raises `DataError` for a folder that is no country's code."""
    assert root is not None
    countries = {row["folder"]: row["name"] for row in class_tables.rows("country211")}
    found = {split: subfolders(root / place) for split, place in SPLITS.items()}
    codes = sorted({code for folders in found.values() for code in folders})
    unknown = [code for code in codes if code not in countries]
    if unknown or not codes:
        raise DataError(f"Expected folders called by country codes in {root}, got {unknown}.")
    labels = {code: label for label, code in enumerate(codes)}
    items = [
        Item(f"{SPLITS[split]}/{code}/{file}", split, labels[code])
        for split, folders in found.items()
        for code in folders
        for file in images(root / SPLITS[split] / code)
    ]
    classes = ClassList(tuple(countries[code] for code in codes))
    return build(CARD, root, items, classes, expected=expected_of(CARD, items))


CARD = DatasetCard(
    name="country211",
    title="Country211",
    domain="countries",
    classes=211,
    splits={"train": 31650, "val": 10550, "test": 21100},
    default_split="test",
    url="https://github.com/openai/CLIP/blob/main/data/country211.md",
    licence="for research; the images are a subset of YFCC100M under Creative Commons",
    how_to_get=(
        "Run `clipfg datasets pull country211` (11 GB), or get country211.tgz by"
        " https://github.com/openai/CLIP/blob/main/data/country211.md and unpack it under"
        " --data-root."
    ),
    prompts="name",
    read=read,
    layout=("train/AD|test/AD", "valid|test", "test/ZW|train/ZW"),
    folders=("country211",),
    notes='The official "valid" is called val.',
    downloads=(
        Download(
            "https://openaipublic.azureedge.net/clip/data/country211.tgz",
            "md5:84988d7644798601126c29e9877aab6a",
        ),
    ),
)
