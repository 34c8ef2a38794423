"""EuroSAT, the RGB version, in its official layout (Helber et al., JSTARS 2019).

2750/AnnualCrop/AnnualCrop_1.jpg ...: tiles of 64 x 64 pixels, ten metres to a pixel. There is no
official split: CoOp's is read where its file is beside the folder; else half of each class is for
training, a fifth for validation and the rest for testing, drawn by the hash of the images' names.
"""

from pathlib import Path

from clipfg.data.readers import class_tables
from clipfg.data.sets import coop
from clipfg.data.sets.catalogue import DatasetCard, Download
from clipfg.data.sets.layouts import build_unlisted, drawn
from clipfg.types import Manifest


def read(root: Path) -> Manifest:
    """The images that are on disk."""
    if file := coop.find_split(CARD, root):
        return coop.read(CARD, root, file, name=CARD.name)
    folders = class_tables.folders("eurosat")
    items = drawn(root, folders, lambda n: {"train": n // 2, "val": n // 5, "test": None})
    return build_unlisted(CARD, root, items, class_tables.class_list("eurosat"))


CARD = DatasetCard(
    name="eurosat",
    title="EuroSAT",
    domain="satellite",
    classes=10,
    splits={"train": 13500, "val": 5400, "test": 8100},
    url="https://github.com/phelber/EuroSAT",
    licence="MIT; Copernicus Sentinel data",
    prompts="satellite",
    read=read,
    layout=("AnnualCrop", "HerbaceousVegetation", "PermanentCrop", "SeaLake"),
    folders=("eurosat/2750", "EuroSAT/2750", "2750", "eurosat", "EuroSAT", "EuroSAT_RGB"),
    class_list=lambda: class_tables.class_list("eurosat"),
    notes="No official split: CoOp's where split_zhou_EuroSAT.json is present, else drawn by hash.",
    coop=("EuroSAT", "."),
    downloads=(
        Download(
            "https://huggingface.co/datasets/torchgeo/eurosat/resolve/c877bcd43f099cd0196738f714544e355477f3fd/EuroSAT.zip",
            "md5:c8fa014336c82ac7804f0398fcb19387",
            94_280_567,
        ),
    ),
)
