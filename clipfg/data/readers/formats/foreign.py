"""Formats that are known and not read: what a file is, and the nearest way to one that is read."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from clipfg.data.readers.formats.form import Form, Sample
from clipfg.data.readers.formats.picture_list import is_list
from clipfg.data.readers.walk import is_image
from clipfg.errors import DataError

CONVERT = "Convert it to COCO (`pip install panlabel`, MIT, reads most formats) and give that."

Test = Callable[[Sample], bool]


def _in_columns(*names: str) -> Test:
    return lambda sample: set(names) <= {name.lower() for name in sample.columns}


def _is_numbers(sample: Sample) -> bool:
    """`images/1.jpg 0`: pictures with the numbers of their classes, and no names."""
    lines = [line for line in sample.head.splitlines()[:20] if line.strip()]
    fits = [re.fullmatch(r"(\S.*\S)\s+\d+", line.strip()) for line in lines]
    return (
        sample.suffix == ".txt"
        and bool(fits)
        and all(match is not None and is_image(match[1]) for match in fits)
        and not is_list(sample)
    )


def _is_tfrecord(sample: Sample) -> bool:
    return bool(re.search(r"\.tfrecords?(-\d+-of-\d+)?$", sample.path.name.lower()))


KNOWN: tuple[tuple[str, Test, str], ...] = (
    ("a TFRecord", _is_tfrecord, f"clipfg does not read TensorFlow's records. {CONVERT}"),
    (
        "VGG Image Annotator (VIA) CSV",
        _in_columns("filename", "region_shape_attributes"),
        "In VIA, export the annotations as JSON, which clipfg reads.",
    ),
    (
        "ImageNet's table of boxes",
        _in_columns("imageid", "predictionstring"),
        "Keep the synset id that begins each PredictionString, in a column called label.",
    ),
    (
        "a list of pictures and class numbers",
        _is_numbers,
        "It has no class names: write them as a CSV with the columns path and label, or export"
        " COCO, or CVAT's own XML, which clipfg reads.",
    ),
)


def describe(sample: Sample) -> str | None:
    """What a file is and what to do instead, in two sentences; None for one of no known format."""
    for title, accepts, advice in KNOWN:
        if accepts(sample):
            return f"{sample.path} is {title}. {advice}"
    return None


def _read(path: Path) -> NoReturn:
    raise DataError(describe(Sample(path)) or f"Expected annotations in {path}.")


FORM = Form("not read", lambda sample: describe(sample) is not None, _read, foreign=True)
