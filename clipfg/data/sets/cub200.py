"""Caltech-UCSD Birds 200-2011 in its official layout (Wah et al., CNS-TR-2011-001, Caltech).

images/001.Black_footed_Albatross/*.jpg ..., classes.txt; and images.txt, image_class_labels.txt,
train_test_split.txt and bounding_boxes.txt, each with an image's id and a value per line. Captions
(Reed et al., CVPR 2016), one per line, are read from text/<class>/<image>.txt where they are
present. The readable names, with hyphens and apostrophes restored, and the families and orders are
this project's table.
"""

from pathlib import Path

from clipfg.data.readers import class_tables
from clipfg.data.readers.list_files import read_fields, read_pairs
from clipfg.data.sets.catalogue import DatasetCard, Download
from clipfg.data.sets.layouts import Item, build
from clipfg.errors import DataError
from clipfg.types import Manifest

_SPLITS = {"1": "train", "0": "test"}


def read(root: Path) -> Manifest:
    """The images that are on disk. Raises `DataError` for lists that contradict each other."""
    folders = [folder for _, folder in read_pairs(root / "classes.txt")]
    items = [
        item._replace(label=item.label - 1, captions=_captions(root, item.path))
        for item in read_items(root)
    ]
    classes = class_tables.class_list("cub200", folders)
    return build(CARD, root, items, classes, expected=len(class_numbers(root)))


def _captions(root: Path, image: str) -> list[str] | None:
    path = (root / "text" / image.removeprefix("images/")).with_suffix(".txt")
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return [line for line in map(str.strip, text.splitlines()) if line] or None


def read_items(root: Path) -> list[Item]:
    """The listed images with the number of their class as the label, and boxes as corners.

    Raises `DataError` for lists that contradict each other.
    """
    numbers = class_numbers(root)
    listed = root / "train_test_split.txt"
    splits = dict(read_pairs(listed)) if listed.exists() else {}
    boxes = _boxes(root / "bounding_boxes.txt")
    items = []
    for key, file in read_pairs(root / "images.txt"):
        if key not in numbers:
            raise DataError(f"Expected a class for {file} in {root / 'image_class_labels.txt'}.")
        split = _SPLITS.get(splits.get(key, ""))
        items.append(Item(f"images/{file}", split, numbers[key], boxes.get(key)))
    return items


def class_numbers(root: Path) -> dict[str, int]:
    """The class of each image id."""
    lines = read_fields(
        root / "image_class_labels.txt", r"(\S+)\s+(\d+)", "an image and the number of its class"
    )
    return {key: int(number) for key, number in lines}


def _boxes(path: Path) -> dict[str, list[float]]:
    if not path.is_file():
        return {}
    number = r"\s+(-?\d+\.?\d*)"
    lines = read_fields(path, rf"(\S+){number * 4}", "x, y, width and height")
    values = {key: [float(part) for part in box] for key, *box in lines}
    return {key: [x, y, x + width, y + height] for key, (x, y, width, height) in values.items()}


CARD = DatasetCard(
    name="cub200",
    title="Caltech-UCSD Birds 200-2011",
    domain="birds",
    classes=200,
    splits={"train": 5994, "test": 5794},
    url="https://www.vision.caltech.edu/datasets/cub_200_2011/",
    licence="non-commercial research and education",
    prompts="birds",
    read=read,
    layout=("images", "images.txt", "classes.txt", "image_class_labels.txt"),
    folders=("CUB_200_2011", "cub200", "CUB_200_2011/CUB_200_2011", "cub"),
    class_list=lambda: class_tables.class_list("cub200"),
    taxonomy="order > family > species",
    downloads=(
        Download(
            "https://data.caltech.edu/records/65de6-vp158/files/CUB_200_2011.tgz",
            "md5:97eceeb196236b17998738112f37df78",
            1_150_585_339,
        ),
    ),
)
