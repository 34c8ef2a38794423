"""ARO's Visual Genome parts: relations and attributes swapped (Yuksekgonul et al., ICLR 2023).

visual_genome_relation.json and visual_genome_attribution.json: lists of {"image_path", "bbox_x",
"bbox_y", "bbox_w", "bbox_h", "true_caption", "false_caption", ...}; a caption is about the box.
Its COCO and Flickr30k orders are drawn at random by the authors' code and not published as files.
"""

from collections.abc import Iterator
from pathlib import Path

from clipfg.data.readers.list_files import read_json
from clipfg.data.sets.catalogue import DatasetCard
from clipfg.data.sets.choices import Row, as_object, build
from clipfg.errors import DataError
from clipfg.types import ChoiceSet, Manifest

SIZES = {"relation": 23_937, "attribution": 28_748}
FILE = "visual_genome_{}.json"


def read_choices(root: Path) -> ChoiceSet:
    """The captions of both parts, or of the one that is in `root`."""
    rows = (row for part in SIZES for row in _rows(root / FILE.format(part), part))
    return build(CARD, root, rows, ("",))


def read(root: Path) -> Manifest:
    """The images, with the boxes in them."""
    return read_choices(root).images()


def _rows(file: Path, part: str) -> Iterator[Row]:
    if not file.is_file():
        return
    content = read_json(file)
    if not isinstance(content, list):
        raise DataError(f"Expected a list of items in {file}, got {type(content).__name__}.")
    for number, given in enumerate(content):
        row = as_object(given)
        image = row.get("image_path")
        yield Row(
            id=f"{part}/{number}",
            file=file,
            subset=part,
            image=f"images/{image}" if isinstance(image, str) else image,
            true=row.get("true_caption"),
            false=row.get("false_caption"),
            box=[row.get(f"bbox_{side}") for side in "xywh"],
        )


CARD = DatasetCard(
    name="aro",
    title="ARO, Visual Genome relations and attributes",
    domain="relations and attributes",
    splits=SIZES,
    url="https://github.com/mertyg/vision-language-models-are-bows",
    licence="MIT; images: Visual Genome, CC BY 4.0",
    read=read,
    choices=read_choices,
    default_split="all",
    layout=("|".join(map(FILE.format, SIZES)), "images"),
    folders=("aro", "ARO"),
    notes=(
        "Choices of two captions for a box. Published figures average over relations, and over"
        " pairs of attributes with 25 items or more; those here are over items. The COCO and"
        " Flickr30k orders are not published as files and not read."
    ),
    by_hand=(
        "Run main_aro.py of https://github.com/mertyg/vision-language-models-are-bows with"
        " --download, and put visual_genome_relation.json, visual_genome_attribution.json and"
        " images/ into aro/ under --data-root."
    ),
)
