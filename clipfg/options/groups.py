"""Options that several commands share: the same word for the same thing everywhere."""

from pathlib import Path
from typing import Literal

import platformdirs

from clipfg.options.declare import Options, option, options

Format = Literal["table", "json", "jsonl", "csv", "parquet"]


@options("Run", shared=True)
class CacheOptions(Options):
    """Where embeddings are kept."""

    cache_dir: Path = option(
        Path(platformdirs.user_cache_dir("clipfg")), "Where embeddings are cached."
    )


@options("Run", shared=True)
class NetworkOptions(Options):
    """Whether the network may be used."""

    offline: bool = option(False, "Never use the network.", flag="--offline/--online")


@options("Run", shared=True)
class SeedOptions(Options):
    """What randomness starts from."""

    seed: int = option(0, "Random seed.", least=0)


@options("Run", shared=True)
class RunOptions(CacheOptions, NetworkOptions, SeedOptions):
    """How a job runs."""

    workers: int | None = option(None, "Image decoding threads.", least=1, most=256)
    resume: bool = option(True, "Reuse cached embeddings, or embed everything again.")
    strict: bool = option(False, "Stop at the first image that fails.")


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
        None, "Use at most N images, drawn over classes by the seed.", metavar="N", least=1
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


@options("Store", shared=True)
class StoreOptions(Options):
    """Which key store."""

    store: Path | None = option(
        None, "Folder of the key store; by default .clipfg/store.", metavar="DIR"
    )


@options("Model", shared=True)
class ModelOptions(Options):
    """Which encoder, and how it computes."""

    model: str | None = option(
        None, "Encoder; see `clipfg models list`.", "-m", metavar="NAME|PATH"
    )
    device: str = option("auto", "Device: cpu, cuda, cuda:1 or mps.", metavar="DEVICE")
    precision: Literal["auto", "fp32", "bf16", "fp16", "int8"] = option(
        "auto", "Number format; auto is the fastest that agrees with fp32."
    )
    batch_size: int = option(32, "Images per forward pass.", least=1, most=65536)


@options("Model", shared=True)
class PromptSetOptions(Options):
    """What is said around a name."""

    prompts: str | None = option(
        None, "Prompt set (`clipfg prompts list`); `a+b` joins two.", metavar="NAME|FILE"
    )
    text_path: Literal["auto", "short", "long", "box"] = option(
        "auto",
        "Text path, for encoders that have several (FG-CLIP); auto takes long for descriptions.",
    )


@options("Model", shared=True)
class PromptOptions(PromptSetOptions):
    """How class names become text."""

    ensemble: str = option(
        "mean",
        "How a class's prompts become one weight: mean, score-mean, sentences, product, waffle,"
        " weighted, or several joined by +.",
        metavar="NAME",
    )


@options("Model", shared=True)
class JobOptions(ModelOptions, RunOptions):
    """What every job needs."""


@options("Data", shared=True)
class DataJobOptions(DataOptions, JobOptions):
    """What a job on a data set needs."""


@options("Confidence", shared=True)
class ConfidenceOptions(Options):
    """What is asked of every answer beyond the likeliest class."""

    target_error: float | None = option(
        None, "Abstain so that at most this share of answers is wrong (0.05).", metavar="SHARE"
    )
    prediction_set: float | None = option(
        None,
        "Also give a set of classes that contains the true one this often (0.9).",
        metavar="SHARE",
    )
    each_class: bool = option(False, "Prediction sets reach that coverage within every class.")
    unknown: bool = option(False, "Flag out-of-distribution images.")
    roll_up: float | None = option(
        None,
        "Answer with the narrowest taxonomic group that is this probable (0.8).",
        metavar="SHARE",
    )


@options("Store", shared=True)
class MetricOptions(Options):
    """How images are compared with a store's."""

    metric: Literal["cosine", "whitened"] = option(
        "cosine",
        "How images are compared: by cosine, or whitened, on directions that tell the labels of"
        " the store apart.",
    )


@options("Demonstrations")
class DemonstrationOptions(Options):
    """Which demonstrations a vision-language model is shown, and what it is asked."""

    shots: int = option(4, "Demonstrations to show.", metavar="K", least=0, most=64)
    strategy: str = option(
        "nearest",
        "How demonstrations are chosen: nearest, per-class, diverse or image-then-text.",
        metavar="NAME",
    )
    order: Literal["first", "last"] = option("first", "Position of the most similar one.")
    candidates: str = option(
        "all", "Names that may be answered: all, zero-shot:M or retrieved:M.", metavar="WHICH"
    )
    choices: int | None = option(
        None, "Ask a multiple-choice question with N names instead.", metavar="N", least=2, most=26
    )
    instruction: str | None = option(
        None, "Instruction at the start; {names} stands for the candidates.", metavar="TEXT"
    )
    question: str = option(
        "What is shown in this image?", "Question after each image.", metavar="TEXT"
    )
    lvlm: str | None = option(
        None, "Vision-language model (transformers image-text-to-text).", metavar="NAME|PATH"
    )


@options("Output", shared=True)
class FormatOptions(Options):
    """How results are printed."""

    format: Format | None = option(
        None,
        "Format: table, json, jsonl, csv or parquet; by default a table on a terminal, else jsonl.",
        "-f",
        metavar="FORMAT",
    )


@options("Output", shared=True)
class OutputOptions(FormatOptions):
    """Where results go."""

    output: Path | None = option(None, "Run folder.", "-o", metavar="PATH")


@options("Data", shared=True)
class ViewPoolingOptions(Options):
    """What several views say together."""

    view_pooling: Literal["mean", "surest"] = option(
        "mean", "Pool views by their mean, or go by the surest one that holds the object."
    )


@options("Model", shared=True)
class PrototypeOptions(Options):
    """Which prototypes of a head count."""

    without: str | None = option(
        None,
        "Switch off these prototypes of a patch-prototypes head (17,23).",
        metavar="NUMBERS",
    )


@options("Output", shared=True)
class TopKOptions(Options):
    """How many answers of an image are kept."""

    top_k: int = option(5, "Answers to keep per image.", "-k", metavar="K", least=1, most=1000)


@options("Output", shared=True)
class PageOptions(Options):
    """Whether an HTML page is written too."""

    html: bool = option(False, "Also write an HTML page into the run folder.")
