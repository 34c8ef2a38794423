"""Oxford 102 Flowers in its official layout (Nilsback and Zisserman, ICVGIP 2008).

jpg/image_00001.jpg ..., imagelabels.mat (class 1 to 102 per image), setid.mat (numbers of the
images in trnid, valid, tstid). The class names are this project's table, after the list that is
used everywhere, with its slips mended ("barbeton daisy", "lotus lotus").
"""

from importlib.resources import files
from pathlib import Path

from clipfg.data.sets.catalogue import DatasetCard, Download
from clipfg.data.sets.layouts import read_mat
from clipfg.errors import DataError, MissingError
from clipfg.types import ClassList, Manifest

SPLITS = {"train": "trnid", "val": "valid", "test": "tstid"}


def class_list() -> ClassList:
    """The 102 names in the order of the data set's labels."""
    text = (files("clipfg.data") / "names" / "flowers102.txt").read_text(encoding="utf-8")
    return ClassList(tuple(text.splitlines()))


def read(root: Path | None) -> Manifest:
    """The images that are on disk; `expected` is how many the labels list.

    Ids are paths below `root`. Raises `DataError` for label files that do not fit each other and
    `MissingError` when no image is there.
    """
    assert root is not None
    labels = [int(label) for label in read_mat(root / "imagelabels.mat", "labels")]
    split_of: dict[int, str] = {}
    for split, key in SPLITS.items():
        split_of.update((int(n), split) for n in read_mat(root / "setid.mat", key))
    classes = class_list()
    if not labels or min(labels) < 1 or max(labels) > len(classes):
        raise DataError(f"Expected labels from 1 to {len(classes)} in {root / 'imagelabels.mat'}.")
    folder = root / "jpg"
    present = {entry.name for entry in folder.iterdir()}
    numbers = [n for n in range(1, len(labels) + 1) if _file(n) in present]
    if not numbers:
        raise MissingError(f"Expected images in {folder}, found none. {CARD.how_to_get}")
    return Manifest.build(
        "flowers102",
        {
            "id": [f"jpg/{_file(n)}" for n in numbers],
            "uri": [str(folder / _file(n)) for n in numbers],
            "split": [split_of.get(n) for n in numbers],
            "label": [labels[n - 1] - 1 for n in numbers],
        },
        classes,
        expected=len(labels),
        prompts="flowers",
    )


def _file(number: int) -> str:
    return f"image_{number:05d}.jpg"


CARD = DatasetCard(
    name="flowers102",
    title="Oxford 102 Flowers",
    domain="flowers",
    classes=102,
    splits={"train": 1020, "val": 1020, "test": 6149},
    default_split="test",
    url="https://www.robots.ox.ac.uk/~vgg/data/flowers/102/",
    licence="for research; the images belong to their authors",
    how_to_get=(
        "Run `clipfg datasets pull flowers102`, or get 102flowers.tgz, imagelabels.mat and"
        " setid.mat from https://www.robots.ox.ac.uk/~vgg/data/flowers/102/ and unpack them into"
        " one folder, flowers-102, under --data-root."
    ),
    prompts="flowers",
    read=read,
    layout=("jpg", "imagelabels.mat", "setid.mat"),
    class_list=class_list,
    downloads=(
        Download(
            "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/102flowers.tgz",
            "md5:52808999861908f626f3c1f4e79d11fa",
            344_862_509,
        ),
        Download(
            "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/imagelabels.mat",
            "md5:e0620be6f572b9609742df49c70aed4d",
            502,
        ),
        Download(
            "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/setid.mat",
            "md5:a5357ecc9cb78c4bef273ce3793fc85c",
            14_989,
        ),
    ),
    folders=("flowers-102", "flowers102", "oxford-flowers", "oxford_flowers", "102flowers"),
)
