"""Winoground: two images and two captions of the same words (Thrush et al., CVPR 2022).

examples.jsonl: {"id", "image_0", "image_1", "caption_0", "caption_1", "collapsed_tag", ...}, where
image_0 is a file of images/ without its suffix; or the hub's Parquet file, with the images in it.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from clipfg.data.readers.embedded_images import parquet_uri
from clipfg.data.sets.catalogue import DatasetCard
from clipfg.data.sets.choices import Row, build, objects
from clipfg.data.sources import reason
from clipfg.errors import DataError
from clipfg.types import ChoiceSet, Failure, Manifest

LISTS = ("examples.jsonl", "data/examples.jsonl")
TABLE = "data/test-00000-of-00001.parquet"


def read_choices(root: Path) -> ChoiceSet:
    """Two choices an example: each image between the two captions."""
    lists = [root / file for file in LISTS if (root / file).is_file()]
    rows = _listed(lists[0]) if lists else _embedded(root / TABLE)
    return build(CARD, root, rows, ("", "data"))


def read(root: Path) -> Manifest:
    """The images."""
    return read_choices(root).images()


def is_own(root: Path) -> bool:
    """Whether the list or the table, whose names are common on the hub, has captions in pairs."""
    try:
        if (root / TABLE).is_file():
            return "caption_0" in pq.read_schema(root / TABLE).names
        lists = [root / file for file in LISTS if (root / file).is_file()]
        with lists[0].open("rb") as lines:
            return b'"caption_0"' in lines.readline(1 << 16)
    except (pa.ArrowException, OSError):
        return False


def _listed(file: Path) -> Iterator[Row | Failure]:
    for found in objects(file, "example"):
        if isinstance(found, Failure):
            yield found
        else:
            id, row = found
            yield from _pair(id, file, row, [_file_name(row.get(f"image_{n}")) for n in (0, 1)])


def _embedded(file: Path) -> Iterator[Row]:
    columns = ["caption_0", "caption_1", "collapsed_tag"]
    try:
        with pq.ParquetFile(file) as table:
            for group in range(table.num_row_groups):
                for at, row in enumerate(table.read_row_group(group, columns).to_pylist()):
                    images = [parquet_uri(file, group, at, f"image_{n}") for n in (0, 1)]
                    yield from _pair(f"example/{group}.{at}", file, row, images)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"Expected Winoground's table in {file}, got {reason(error)}.") from None


def _pair(id: str, file: Path, row: Mapping[str, Any], images: Sequence[Any]) -> Iterator[Row]:
    for this, other in ((0, 1), (1, 0)):
        yield Row(
            id=f"{id}/{this}",
            file=file,
            subset=str(row.get("collapsed_tag") or "untagged"),
            image=images[this],
            true=row.get(f"caption_{this}"),
            false=row.get(f"caption_{other}"),
            pair=id,
        )


def _file_name(image: Any) -> Any:
    """The published list leaves the suffix out."""
    return f"images/{image}.png" if isinstance(image, str) and image else image


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
    layout=("|".join((*LISTS, TABLE)), f"images|data/images|{TABLE}"),
    is_own=is_own,
    folders=("winoground",),
    notes=(
        "Examples of two images and two captions. Text score: both images prefer their caption;"
        " image score: both captions prefer their image; group score: all of it."
    ),
    by_hand=(
        "Agree to the terms at https://huggingface.co/datasets/facebook/winoground, and put its"
        " data/ (the Parquet file, or examples.jsonl and images.zip, unpacked) into winoground/"
        " under --data-root."
    ),
)
