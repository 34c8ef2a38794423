"""SugarCrepe: a true and a false caption of each image (Hsieh et al., NeurIPS 2023).

add_att.json, ... swap_obj.json: {"0": {"filename", "caption", "negative_caption"}, ...}; the images
are COCO's val2017.
"""

from collections.abc import Iterator
from pathlib import Path

from clipfg.data.readers.list_files import read_json
from clipfg.data.sets.catalogue import DatasetCard
from clipfg.data.sets.choices import COCO, Row, as_object, build
from clipfg.types import ChoiceSet, Manifest

SIZES = {
    "add_att": 692,
    "add_obj": 2062,
    "replace_att": 788,
    "replace_obj": 1652,
    "replace_rel": 1406,
    "swap_att": 666,
    "swap_obj": 246,
}
PLACES = ("{}.json", "data/{}.json", "sugarcrepe_{}.json")


def read_choices(root: Path) -> ChoiceSet:
    """The captions of every category in `root`."""
    rows = (row for category in SIZES for row in _rows(root, category))
    return build(CARD, root, rows, COCO)


def read(root: Path) -> Manifest:
    """The images."""
    return read_choices(root).images()


def _rows(root: Path, category: str) -> Iterator[Row]:
    files = (root / place.format(category) for place in PLACES)
    if (file := next((file for file in files if file.is_file()), None)) is None:
        return
    for key, given in as_object(read_json(file)).items():
        row = as_object(given)
        image = row.get("filename")
        yield Row(
            id=f"{category}/{key}",
            file=file,
            subset=category,
            image=f"val2017/{image}" if isinstance(image, str) else image,
            true=row.get("caption"),
            false=row.get("negative_caption"),
        )


CARD = DatasetCard(
    name="sugarcrepe",
    title="SugarCrepe",
    domain="captions with one change",
    splits=SIZES,
    url="https://github.com/RAIVNLab/sugar-crepe",
    licence="MIT; images belong to their Flickr authors",
    read=read,
    choices=read_choices,
    default_split="all",
    layout=("|".join(place.format(category) for place in PLACES for category in SIZES),),
    folders=("sugarcrepe", "sugar-crepe"),
    notes="Choices of two captions for an image; the true one must score higher.",
    by_hand=(
        "Get data/ from https://github.com/RAIVNLab/sugar-crepe into sugarcrepe/ under --data-root,"
        " and COCO's val2017 from https://cocodataset.org/#download beside it."
    ),
)
