"""Options that several commands share: the same word for the same thing everywhere."""

from pathlib import Path
from typing import Literal

import platformdirs

from clipfg.options.data import DataOptions
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
