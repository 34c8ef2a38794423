"""Oxford 102 Flowers in its official layout (Nilsback and Zisserman, ICVGIP 2008).

jpg/image_00001.jpg ..., imagelabels.mat (class 1 to 102 of each image), setid.mat (numbers of the
images in trnid, valid, tstid). The class names are this project's table: the list in common use,
with its errors corrected ("barbeton daisy", "lotus lotus").
"""

from pathlib import Path

from clipfg.data.readers import class_tables
from clipfg.data.readers.list_files import read_mat
from clipfg.data.sets.catalogue import DatasetCard, Download
from clipfg.data.sets.layouts import Item, build
from clipfg.types import Manifest

URL = "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/"


def read(root: Path) -> Manifest:
    """The images that are on disk. Raises `DataError` for labels that are no class."""
    splits: dict[int, str] = {}
    for split, key in {"train": "trnid", "val": "valid", "test": "tstid"}.items():
        splits |= {int(number): split for number in read_mat(root / "setid.mat", key)}
    items = [
        Item(f"jpg/image_{number:05d}.jpg", splits.get(number), int(label) - 1)
        for number, label in enumerate(read_mat(root / "imagelabels.mat", "labels"), 1)
    ]
    return build(CARD, root, items, class_tables.class_list("flowers102"))


CARD = DatasetCard(
    name="flowers102",
    title="Oxford 102 Flowers",
    domain="flowers",
    classes=102,
    splits={"train": 1020, "val": 1020, "test": 6149},
    url=URL,
    licence="for research; the images belong to their authors",
    prompts="flowers",
    read=read,
    layout=("jpg", "imagelabels.mat", "setid.mat"),
    folders=("flowers-102", "flowers102", "oxford-flowers", "oxford_flowers", "102flowers"),
    class_list=lambda: class_tables.class_list("flowers102"),
    coop=("OxfordFlowers", "jpg"),
    downloads=(
        Download(f"{URL}102flowers.tgz", "md5:52808999861908f626f3c1f4e79d11fa", 344_862_509),
        Download(f"{URL}imagelabels.mat", "md5:e0620be6f572b9609742df49c70aed4d", 502),
        Download(f"{URL}setid.mat", "md5:a5357ecc9cb78c4bef273ce3793fc85c", 14_989),
    ),
)
