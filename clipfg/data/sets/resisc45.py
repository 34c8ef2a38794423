"""NWPU-RESISC45 in its official layout (Cheng et al., Proc. IEEE 2017).

NWPU-RESISC45/airplane/airplane_001.jpg ...: 700 aerial images of each class, 256 x 256. There is
no official split: that of Neumann et al. (arXiv 1911.06721) is read where its lists
resisc45-train.txt, -val.txt and -test.txt are in or beside the folder, else a split of the same
sizes (60, 20 and 20 per cent) is drawn by the hash of the images' names.
"""

from pathlib import Path

from clipfg.data.readers import class_tables
from clipfg.data.sets.catalogue import DatasetCard, Download
from clipfg.data.sets.layouts import build, build_unlisted, drawn, in_lists
from clipfg.types import Manifest

MIRROR = (
    "https://huggingface.co/datasets/torchgeo/resisc45/resolve/"
    "a826b44d938a883185f11ebe3d512d38b464312f"
)


def read(root: Path) -> Manifest:
    """The images that are on disk. Raises `DataError` for a list with another class in it."""
    folders, classes = class_tables.folders("resisc45"), class_tables.class_list("resisc45")
    for place in (root, root.parent):
        lists = {split: place / f"resisc45-{split}.txt" for split in ("train", "val", "test")}
        if all(path.is_file() for path in lists.values()):
            return build(CARD, root, in_lists(lists, folders, _listed), classes)
    items = drawn(root, folders, lambda n: {"train": n * 3 // 5, "val": n // 5, "test": None})
    return build_unlisted(CARD, root, items, classes)


def _listed(file: str) -> tuple[str, str]:
    """The path of "airplane_001.jpg", and its folder: the name up to the number."""
    folder = file.rpartition("_")[0]
    return f"{folder}/{file}", folder


CARD = DatasetCard(
    name="resisc45",
    title="NWPU-RESISC45",
    domain="satellite",
    classes=45,
    splits={"train": 18900, "val": 6300, "test": 6300},
    url="https://gcheng-nwpu.github.io/",
    licence="for research",
    by_hand="Get NWPU-RESISC45.rar by the link at https://gcheng-nwpu.github.io/ and unpack it"
    " under --data-root.",
    prompts="satellite",
    read=read,
    layout=("airplane", "circular_farmland", "ground_track_field", "thermal_power_station"),
    folders=("NWPU-RESISC45", "resisc45/NWPU-RESISC45", "resisc45"),
    class_list=lambda: class_tables.class_list("resisc45"),
    notes="No official split: Neumann et al.'s where its lists are present (the download has them),"
    " else drawn by hash.",
    downloads=(
        Download(
            f"{MIRROR}/NWPU-RESISC45.zip", "md5:75206b2e16446591afa88e2628744886", 427_389_445
        ),
        Download(f"{MIRROR}/resisc45-train.txt", "md5:b5a4c05a37de15e4ca886696a85c403e", 363_000),
        Download(f"{MIRROR}/resisc45-val.txt", "md5:a0770cee4c5ca20b8c32bbd61e114805", 120_000),
        Download(f"{MIRROR}/resisc45-test.txt", "md5:3dda9e4988b47eb1de9f07993653eb08", 121_000),
    ),
)
