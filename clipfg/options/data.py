"""Options that say which data are meant, and how they are read."""

from pathlib import Path
from typing import Literal

from clipfg.options.declare import Options, option, options


@options("Data", shared=True)
class DataRootOptions(Options):
    """Where data sets live."""

    data_root: Path | None = option(None, "Folder that holds the data sets.")


@options("Data", shared=True)
class DataNameOptions(DataRootOptions):
    """Which data."""

    dataset: str | None = option(
        None,
        "Data set name, folder, CSV/JSONL/Parquet manifest, tar, hf:REPO or features:FILE.",
        "-d",
        metavar="NAME|PATH",
    )


@options("Data", shared=True)
class ReadingOptions(Options):
    """What a person says of their data where a reader would have to guess."""

    label_level: int | None = option(
        None, "Which folder below the data names the class: 1, 2, ...; 0 for none.", least=0
    )
    label_column: str | None = option(
        None, "Column of a table that names the class.", metavar="COLUMN"
    )
    path_column: str | None = option(
        None, "Column of a table that names the image.", metavar="COLUMN"
    )
    split_column: str | None = option(
        None, "Column of a table that names the split.", metavar="COLUMN"
    )
    name_column: str | None = option(
        None,
        "Column of class names to answer with; texts are made of it and of any that follow (a,b).",
        metavar="COLUMN",
    )
    label_names: Path | None = option(
        None, "Names of labels that are numbers or codes: JSON, CSV or text.", metavar="FILE"
    )
    label_from_name: str | None = option(
        None, "Regular expression whose group is the class in a file's name.", metavar="REGEX"
    )
    several_labels: Literal["first", "skip"] | None = option(
        None, "Of images with several labels, take the first label or skip the image."
    )
    boxes: Path | None = option(
        None,
        "Boxes of the images: MegaDetector, COCO and other files, or a CSV (path, x0, y0, x1, y1).",
        metavar="FILE",
    )
    min_confidence: float | None = option(
        None, "Leave out boxes that are less sure (MegaDetector: 0.2).", least=0.0, most=1.0
    )
    box_format: str | None = option(
        None,
        "What a box's four numbers are: xyxy, xywh or cxcywh; in pixels, relative or percent.",
        metavar="FORMAT",
    )


@options("Data", shared=True)
class BoxOptions(Options):
    """What an item with a box is: a part of its image."""

    boxes_as: Literal["crop", "region"] | None = option(
        None,
        "Cut boxes out of their image, or read them from its dense map, in one pass for all of them"
        " (by default crops; of named data sets neither).",
    )
    crop: Literal["square", "tight", "whole"] | None = option(
        None,
        "How boxes are cut out: a square with a tenth to spare (the default), the box itself, or"
        " the whole image instead.",
    )


@options("Data", shared=True)
class ViewOptions(Options):
    """What the encoder is shown of each image."""

    views: str | None = option(
        None,
        "What of each image is embedded and averaged: center (the default), pad, squash, tiles,"
        " ten-crop, attention-crop, or several joined by +.",
        metavar="NAMES",
    )


@options("Data", shared=True)
class ViewPoolingOptions(Options):
    """What several views say together."""

    view_pooling: Literal["mean", "surest"] = option(
        "mean", "Pool views by their mean, or go by the surest one that holds the object."
    )


@options("Data", shared=True)
class RegionOptions(Options):
    """Whether items are the parts of images."""

    regions: bool = option(
        False, "An item for each region: the data's own or, where it has none, those of a grid."
    )


@options("Data", shared=True)
class DataOptions(DataNameOptions, ReadingOptions, BoxOptions, ViewOptions):
    """Which images of the data, and what their classes are called."""

    split: str | None = option(None, "Split to use; by default the data set's own choice.")
    classes: Path | None = option(
        None,
        "Class names: a file (one per line, CSV, JSON, ...), or typed with commas.",
        metavar="FILE|NAMES",
    )
    limit: int | None = option(
        None, "Use at most N images, or bags, drawn over classes by the seed.", metavar="N", least=1
    )
    download: bool = option(True, "Download a named data set that is not on disk.")


@options("Data", shared=True)
class TaxonomyOptions(Options):
    """Which part of a taxonomy a classifier tells apart."""

    within: str | None = option(
        None, "Only the classes below this node of the taxonomy, or those named.", metavar="NODE"
    )


@options("Data", shared=True)
class GroupOptions(Options):
    """Which images belong together."""

    group_by: str | None = option(
        None,
        "Keep images of one plant, bird, lot or camera together: a column, a regular expression"
        " whose group is found in the ids, folder, burst:60s or near-copies.",
        metavar="COLUMN|REGEX|folder|burst:60s|near-copies",
    )


@options("Data", shared=True)
class BagOptions(Options):
    """Which images make a bag."""

    bag_by: str | None = option(
        None,
        "What makes a bag: folder, a column, or a regular expression whose group is found in the"
        " ids; by default the column bag, else group.",
        metavar="folder|COLUMN|REGEX",
    )


@options("Data", shared=True)
class TileOptions(BagOptions):
    """How large pictures are cut into the instances of a bag."""

    tiles: int | None = option(
        None,
        "Cut each picture into tiles of N pixels, which make a bag; TIFF and SVS of any size.",
        metavar="N",
        least=16,
        most=8192,
    )
    overlap: int = option(0, "Pixels by which tiles overlap.", metavar="N", least=0)
    level: int = option(0, "Level of the pictures to cut, 0 for the finest.", metavar="N", least=0)
    blank: float = option(
        5.0,
        "Leave out tiles whose colours vary by less than this standard deviation, of 255.",
        least=0.0,
        most=255.0,
    )
