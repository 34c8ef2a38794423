"""Winoground: two images and two captions of the same words (Thrush et al., CVPR 2022).

examples.jsonl: {"id", "image_0", "image_1", "caption_0", "caption_1", "collapsed_tag", ...}, where
image_0 is a file of images/ without its suffix.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clipfg.data.sets.catalogue import DatasetCard
from clipfg.data.sets.choices import Row, build, objects
from clipfg.types import ChoiceSet, Failure, Manifest

FILES = ("examples.jsonl", "data/examples.jsonl")
IMAGES = ("images", "data/images")


def read_choices(root: Path) -> ChoiceSet:
    """Two choices an example: each image between the two captions."""
    file = next(root / file for file in FILES if (root / file).is_file())
    return build(CARD, root, _rows(file), IMAGES)


def read(root: Path) -> Manifest:
    """The images."""
    return read_choices(root).images()


def _rows(file: Path) -> Iterator[Row | Failure]:
    for found in objects(file, "example"):
        if isinstance(found, Failure):
            yield found
            continue
        id, row = found
        for this, other in ((0, 1), (1, 0)):
            yield Row(
                id=f"{id}/{this}",
                file=file,
                subset=str(row.get("collapsed_tag") or "untagged"),
                image=_file_name(row.get(f"image_{this}")),
                true=row.get(f"caption_{this}"),
                false=row.get(f"caption_{other}"),
                pair=id,
            )


def _file_name(image: Any) -> Any:
    """The published list leaves the suffix out."""
    return f"{image}.png" if isinstance(image, str) and not Path(image).suffix else image


CARD = DatasetCard(
    name="winoground",
    title="Winoground",
    domain="captions of the same words",
    splits={"Object": 141, "Relation": 233, "Both": 26},
    url="https://huggingface.co/datasets/facebook/winoground",
    licence="Meta's Winoground licence, research only; images: Getty Images",
    read=read,
    choices=read_choices,
    default_split="all",
    layout=("|".join(FILES), "|".join(IMAGES)),
    folders=("winoground",),
    notes=(
        "Examples of two images and two captions. Text score: both images prefer their caption;"
        " image score: both captions prefer their image; group score: all of it."
    ),
    by_hand=(
        "Agree to the terms at https://huggingface.co/datasets/facebook/winoground, and put"
        " examples.jsonl and the unpacked images.zip into winoground/ under --data-root."
    ),
)
