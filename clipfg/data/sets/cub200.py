"""Caltech-UCSD Birds 200-2011 in its official layout (Wah et al., CNS-TR-2011-001, Caltech).

images.txt, image_class_labels.txt, train_test_split.txt and bounding_boxes.txt are keyed by an
image's number, and each may list more than the others. Captions (Reed et al., CVPR 2016) are
taken from text/<class>/<image>.txt where they are there, one per line. The readable names, with
hyphens and apostrophes back in place, and the families and orders are this project's table.
"""

import csv
from importlib.resources import files
from pathlib import Path

from clipfg.data.readers.labels import readable_names
from clipfg.data.sets.catalogue import DatasetCard, Download
from clipfg.errors import DataError, MissingError
from clipfg.types import ClassList, Manifest


def class_list(folders: list[str] | None = None) -> ClassList:
    """Readable names in the data's order, with family and order as the taxonomy.

    `folders` are the class folders as the data lists them (the official 200 where None); names
    that the table lacks are made from their folders.
    """
    text = (files("clipfg.data") / "names" / "cub200.csv").read_text(encoding="utf-8")
    rows = {row["folder"]: row for row in csv.DictReader(text.splitlines())}
    folders = folders or list(rows)
    plain = readable_names(folders)
    names = [rows[f]["name"] if f in rows else p for f, p in zip(folders, plain, strict=True)]
    parents = {rows[f]["name"]: rows[f]["family"] for f in folders if f in rows}
    parents |= {rows[f]["family"]: rows[f]["order"] for f in folders if f in rows}
    return ClassList(tuple(names), parents, levels=("family", "order"))


def read(root: Path | None) -> Manifest:
    """The images that are on disk; `expected` is how many the labels list.

    Boxes are turned from `x, y, width, height` to corners. Ids are paths below `root`. Raises
    `DataError` for list files that contradict each other and `MissingError` when no image is
    there.
    """
    assert root is not None
    folders = _read_list(root / "classes.txt")
    labels = {n: int(v) - 1 for n, v in _read_list(root / "image_class_labels.txt").items()}
    training = _read_list(root / "train_test_split.txt")
    boxes = _read_list(root / "bounding_boxes.txt", needed=False)
    present = _present(root / "images")
    items = {n: file for n, file in _read_list(root / "images.txt").items() if file in present}
    if not items:
        raise MissingError(f"Expected images in {root / 'images'}, found none. {CARD.how_to_get}")
    unlabelled = next((file for n, file in items.items() if n not in labels), None)
    if unlabelled:
        raise DataError(f"Expected a class for {unlabelled} in {root / 'image_class_labels.txt'}.")
    columns: dict[str, list[object]] = {
        "id": [f"images/{file}" for file in items.values()],
        "uri": [str(root / "images" / file) for file in items.values()],
        "split": [{"1": "train", "0": "test"}.get(training.get(n, "")) for n in items],
        "label": [labels[n] for n in items],
    }
    if boxes:
        columns["box"] = [_corners(boxes[n], root) if n in boxes else None for n in items]
    if (root / "text").is_dir():
        columns["caption"] = [_caption(root / "text", file) for file in items.values()]
    return Manifest.build(
        "cub200",
        columns,
        class_list(list(folders.values())),
        expected=max(len(labels), len(items)),
        prompts="birds",
    )


def _read_list(path: Path, needed: bool = True) -> dict[str, str]:
    """Number to the rest of the line."""
    if not path.is_file() and not needed:
        return {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise DataError(f"Expected a readable list, got {why}: {path}") from None
    entries = {}
    for line_number, line in enumerate(lines, 1):
        key, _, value = line.strip().partition(" ")
        if not key:
            continue
        if not key.isdecimal() or not value:
            raise DataError(f"Expected a number and a value in line {line_number} of {path}.")
        entries[key] = value.strip()
    return entries


def _present(images: Path) -> set[str]:
    """`class/image` for everything on disk: one listing per folder, not one call per file."""
    if not images.is_dir():
        return set()
    folders = [folder for folder in images.iterdir() if folder.is_dir()]
    return {f"{folder.name}/{file.name}" for folder in folders for file in folder.iterdir()}


def _corners(box: str, root: Path) -> list[float]:
    try:
        x, y, width, height = (float(part) for part in box.split())
    except ValueError:
        raise DataError(
            f"Expected x, y, width and height, got {box!r} in {root / 'bounding_boxes.txt'}."
        ) from None
    return [x, y, x + width, y + height]


def _caption(folder: Path, file: str) -> str | None:
    try:
        text = (folder / file).with_suffix(".txt").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line) or None


CARD = DatasetCard(
    name="cub200",
    title="Caltech-UCSD Birds 200-2011",
    domain="birds",
    classes=200,
    splits={"train": 5994, "test": 5794},
    default_split="test",
    url="https://www.vision.caltech.edu/datasets/cub_200_2011/",
    licence="non-commercial research and education",
    how_to_get=(
        "Run `clipfg datasets pull cub200`, or get CUB_200_2011.tgz from"
        " https://data.caltech.edu/records/65de6-vp158 and unpack it under --data-root."
    ),
    prompts="birds",
    read=read,
    layout=("images", "images.txt", "classes.txt", "image_class_labels.txt"),
    class_list=class_list,
    taxonomy="order > family > species",
    downloads=(
        Download(
            "https://data.caltech.edu/records/65de6-vp158/files/CUB_200_2011.tgz",
            "md5:97eceeb196236b17998738112f37df78",
            1_150_585_339,
        ),
    ),
    folders=("CUB_200_2011", "cub200", "CUB_200_2011/CUB_200_2011", "cub"),
)
