"""The list files of CUB-200-2011, in which NABirds is published too.

images.txt, image_class_labels.txt, train_test_split.txt and bounding_boxes.txt, each with an
image's id and a value per line; a class is a number.
"""

from pathlib import Path

from clipfg.data.readers.list_files import read_fields, read_pairs
from clipfg.data.sets.layouts import Item
from clipfg.errors import DataError

SPLITS = {"1": "train", "0": "test"}


def read_items(root: Path) -> list[Item]:
    """The listed images with the number of their class as the label, and boxes as corners.

    Raises `DataError` for lists that contradict each other.
    """
    numbers = class_numbers(root)
    splits = dict(read_pairs(root / "train_test_split.txt"))
    boxes = _boxes(root / "bounding_boxes.txt")
    items = []
    for key, file in read_pairs(root / "images.txt"):
        if key not in numbers:
            raise DataError(f"Expected a class for {file} in {root / 'image_class_labels.txt'}.")
        split = SPLITS.get(splits.get(key, ""))
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
