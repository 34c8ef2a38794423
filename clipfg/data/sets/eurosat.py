"""EuroSAT, the RGB version, in its official layout (Helber et al., JSTARS 2019).

2750/AnnualCrop/AnnualCrop_1.jpg ...: tiles of 64 x 64 pixels, ten metres to a pixel. There is no
official split: CoOp's is read where its file lies beside the folder, else half of each class is for
training, a fifth for validation and the rest for testing, drawn by the hash of the images' names.
"""

from pathlib import Path

from clipfg.data.readers import class_tables
from clipfg.data.sets import coop
from clipfg.data.sets.catalogue import DatasetCard, Download
from clipfg.data.sets.layouts import Item, build, draw_split, expected_of, images, subfolders
from clipfg.types import ClassList, Manifest


def class_list() -> ClassList:
    """The ten kinds of land in alphabetical order of their folders."""
    return class_tables.class_list("eurosat")


def read(root: Path | None) -> Manifest:
    """The images that are on disk."""
    assert root is not None
    if file := coop.find_split(CARD.name, root):
        return coop.read(CARD, root, file, name=CARD.name)
    folders = [row["folder"] for row in class_tables.rows("eurosat")]
    items = []
    for label, folder in enumerate(folders):
        files = images(root / folder) if folder in subfolders(root) else []
        paths = [f"{folder}/{file}" for file in files]
        sizes = {"train": len(paths) // 2, "val": len(paths) // 5, "test": None}
        items += [Item(p, s, label) for p, s in zip(paths, draw_split(paths, sizes), strict=True)]
    return build(CARD, root, items, class_list(), expected=expected_of(CARD, items))


CARD = DatasetCard(
    name="eurosat",
    title="EuroSAT",
    domain="satellite",
    classes=10,
    splits={"train": 13500, "val": 5400, "test": 8100},
    default_split="test",
    url="https://github.com/phelber/EuroSAT",
    licence="MIT; Copernicus Sentinel data",
    how_to_get=(
        "Run `clipfg datasets pull eurosat`, or get EuroSAT.zip (RGB) from"
        " https://github.com/phelber/EuroSAT and unpack it into a folder, eurosat, under"
        " --data-root."
    ),
    prompts="satellite",
    read=read,
    layout=("AnnualCrop", "HerbaceousVegetation", "PermanentCrop", "SeaLake"),
    folders=("eurosat/2750", "EuroSAT/2750", "2750", "eurosat", "EuroSAT", "EuroSAT_RGB"),
    class_list=class_list,
    notes="No official split: CoOp's where split_zhou_EuroSAT.json is there, else drawn by hash.",
    downloads=(
        Download(
            "https://huggingface.co/datasets/torchgeo/eurosat/resolve/c877bcd43f099cd0196738f714544e355477f3fd/EuroSAT.zip",
            "md5:c8fa014336c82ac7804f0398fcb19387",
            94_280_567,
        ),
    ),
)
