"""FG-OVD: true and false descriptions of boxes in COCO images (Bianchi et al., CVPR 2024).

Either the authors' own JSON (1_attributes.json, ...: images, annotations and, as categories, texts)
or FG-CLIP's JSONL, with the texts in each row. Boxes are `x, y, width, height` in both.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clipfg.data.readers.list_files import read_json
from clipfg.data.sets.catalogue import DatasetCard
from clipfg.data.sets.choices import COCO, Row, as_object, build, objects
from clipfg.errors import DataError
from clipfg.types import ChoiceSet, Failure, Manifest

SUBSETS = {
    "1_attributes": "hard",
    "2_attributes": "medium",
    "3_attributes": "easy",
    "shuffle_negatives": "trivial",
    "color": "color",
    "material": "material",
    "pattern": "pattern",
    "transparency": "transparency",
}
"""The benchmarks' names, and what their authors call them; false texts of the hard one differ from
the true one in one attribute, trivial ones are of other objects."""
SHORT = {"h_attributes": "hard", "m_attributes": "medium", "e_attributes": "easy"}

FOLDERS = ("", "benchmarks", "fgovd_json")
FILES = {
    f"{folder}/{before}{stem}{after}".lstrip("/"): subset
    for stem, subset in (SUBSETS | SHORT).items()
    for folder in FOLDERS
    for before in ("", "fgovd_")
    for after in (".json", ".jsonl", "_llava.jsonl")
}
"""Every place of a benchmark's file, and its subset."""


def read_choices(root: Path) -> ChoiceSet:
    """The boxes of every benchmark in `root`; of two files of one benchmark the first is read."""
    files: dict[str, Path] = {}
    for file, subset in FILES.items():
        if (root / file).is_file():
            files.setdefault(subset, root / file)
    ordered = ((subset, files[subset]) for subset in SUBSETS.values() if subset in files)
    rows = (row for subset, file in ordered for row in _rows(file, subset))
    return build(CARD, root, rows, COCO)


def read(root: Path) -> Manifest:
    """The images, with the boxes in them."""
    return read_choices(root).images()


def _rows(file: Path, subset: str) -> Iterator[Row | Failure]:
    return _official(file, subset) if file.suffix == ".json" else _fgclip(file, subset)


def _official(file: Path, subset: str) -> Iterator[Row]:
    content = as_object(read_json(file))
    try:
        images = {image["id"]: image for image in content["images"]}
        texts = {category["id"]: category["name"] for category in content["categories"]}
        annotations = list(content["annotations"])
    except (KeyError, TypeError):
        raise DataError(
            f"Expected images, annotations and categories in {file}, as FG-OVD has them, got"
            " something else."
        ) from None
    for number, given in enumerate(annotations, 1):
        found = as_object(given)
        image = as_object(images.get(found.get("image_id")))
        yield Row(
            id=f"{subset}/{found.get('id', number)}",
            file=file,
            subset=subset,
            image=image.get("file_name"),
            true=texts.get(found.get("category_id")),
            false=[texts.get(each) for each in found.get("neg_category_ids") or ()],
            box=found.get("bbox") or (),
            size=(image.get("width"), image.get("height")),
        )


def _fgclip(file: Path, subset: str) -> Iterator[Row | Failure]:
    for found in objects(file, subset):
        if isinstance(found, Failure):
            yield found
            continue
        id, row = found
        yield Row(
            id=id,
            file=file,
            subset=subset,
            image=row.get("img_path"),
            true=_first(row.get("pos_expression")),
            false=row.get("neg_expression"),
            box=row.get("bbox") or (),
            size=(row.get("width"), row.get("height")),
        )


def _first(texts: Any) -> Any:
    """The text of a list that always has one."""
    return texts[0] if isinstance(texts, list) and texts else texts


CARD = DatasetCard(
    name="fgovd",
    title="FG-OVD",
    domain="objects and their attributes",
    url="https://github.com/lorebianchi98/FG-OVD",
    licence="images belong to their Flickr authors",
    read=read,
    choices=read_choices,
    default_split="all",
    layout=("|".join(f for f, s in FILES.items() if s in ("hard", "medium", "easy", "trivial")),),
    folders=("fgovd", "FG-OVD"),
    notes=(
        "Choices of a text for a box. The true text must score above all false ones, up to ten a"
        " row; hard, medium and easy differ in one, two and three attributes, trivial texts are of"
        " other objects."
    ),
    by_hand=(
        "Get benchmarks/ from https://github.com/lorebianchi98/FG-OVD (or FG-CLIP's .jsonl of the"
        " same) into fgovd/ under --data-root, and COCO's val2017 from"
        " https://cocodataset.org/#download beside it."
    ),
)
