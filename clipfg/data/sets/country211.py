"""Country211 in its official layout (Radford et al., ICML 2021): where was an image taken?

train/AD/*.jpg ..., valid/ and test/ likewise, in folders named by the ISO 3166 code of a country.
The classes are the countries' common English names; "valid" becomes val.
"""

from pathlib import Path

from clipfg.data.readers import class_tables
from clipfg.data.sets.catalogue import DatasetCard, Download
from clipfg.data.sets.layouts import build_unlisted, in_folders, subfolders
from clipfg.types import Manifest

PLACES = {"train": "train", "val": "valid", "test": "test"}


def read(root: Path) -> Manifest:
    """The images that are on disk. Raises `DataError` for a folder that is no country's code."""
    there = {code for place in PLACES.values() for code in subfolders(root / place)}
    codes = [code for code in class_tables.folders("country211") if code in there]
    items = in_folders(root, PLACES, codes, of="country codes")
    return build_unlisted(CARD, root, items, class_tables.class_list("country211", codes))


CARD = DatasetCard(
    name="country211",
    title="Country211",
    domain="countries",
    classes=211,
    splits={"train": 31650, "val": 10550, "test": 21100},
    url="https://github.com/openai/CLIP/blob/main/data/country211.md",
    licence="for research; the images are a subset of YFCC100M under Creative Commons",
    prompts="name",
    read=read,
    layout=("train/AD|test/AD", "valid|test", "test/ZW|train/ZW"),
    folders=("country211",),
    notes='The official "valid" is called val.',
    downloads=(
        Download(
            "https://openaipublic.azureedge.net/clip/data/country211.tgz",
            "md5:84988d7644798601126c29e9877aab6a",
            11_000_000_000,
        ),
    ),
)
