"""Options of the commands that look after data, features and the machine."""

from pathlib import Path

from clipfg.options.data import (
    DataNameOptions,
    DataRootOptions,
    GroupOptions,
    ReadingOptions,
    RegionOptions,
)
from clipfg.options.declare import option, options
from clipfg.options.groups import (
    CacheOptions,
    DataJobOptions,
    FormatOptions,
    NetworkOptions,
    OutputOptions,
    PageOptions,
    PromptOptions,
    SeedOptions,
)


@options("Output", command="embed")
class EmbedOptions(DataJobOptions, RegionOptions):
    """Options of `clipfg embed`."""

    split: str = option("all", "Split to embed.")
    output: Path | None = option(
        None, "Features file: .parquet, .npz or .safetensors.", "-o", metavar="FILE"
    )


@options("Output", command="lint")
class LintOptions(DataJobOptions, GroupOptions, OutputOptions, PageOptions):
    """Options of `clipfg lint`."""

    split: str = option("all", "Split to check.")
    html: bool = option(False, "Also write lint.html, with the images side by side.")


@options("Learning", command="suggest")
class SuggestOptions(DataJobOptions, GroupOptions, PromptOptions, OutputOptions, PageOptions):
    """Options of `clipfg suggest`."""

    split: str | None = option(None, "Split to label, or with --simulate to test on.")
    budget: int = option(20, "Images to suggest.", "-n", metavar="N", least=1)
    strategy: str | None = option(
        None,
        "Strategy: uherding (the default), margin, entropy, badge, typiclust, k-center, maxherding"
        " or random; --simulate takes several.",
        metavar="NAME",
    )
    labelled: Path | None = option(
        None,
        "Images that count as labelled: ids, one per line, or CSV/JSONL with id and label.",
        metavar="FILE",
    )
    own_labels: str | None = option(
        None, "Your own labelled images, a folder per class.", metavar="FOLDER"
    )
    simulate: bool = option(
        False, "Replay strategies on labelled data: accuracy against the number of labels."
    )
    seeds: int = option(3, "Random repetitions of a simulation.", least=1, most=100)
    html: bool = option(False, "Also write suggestions.html.")


@options("Data", command="datasets")
class DatasetListOptions(DataRootOptions, FormatOptions):
    """Options of `clipfg datasets list`."""


@options("Data", command="datasets")
class DatasetShowOptions(DataNameOptions, ReadingOptions, NetworkOptions, FormatOptions):
    """Options of `clipfg datasets show`."""


@options("Data", command="datasets")
class DatasetPullOptions(DataRootOptions, NetworkOptions):
    """Options of `clipfg datasets pull`."""


@options("Data", command="datasets")
class DrawOptions(SeedOptions):
    """Options of `clipfg datasets draw`."""

    count: int = option(8, "Number of images.", "-n", least=1)
    size: int = option(256, "Side length in pixels.", least=16, most=2048)


@options("Run", command="cache")
class CacheInfoOptions(CacheOptions, FormatOptions):
    """Options of `clipfg cache info`."""


@options("Run", command="cache")
class CacheClearOptions(CacheOptions):
    """Options of `clipfg cache clear`."""

    encoder: str | None = option(
        None,
        "Only this encoder's, by fingerprint, as `cache info` shows it.",
        metavar="FINGERPRINT",
    )
    yes: bool = option(False, "Do not ask for confirmation.", "-y")


@options("Run", command="doctor")
class DoctorOptions(CacheOptions, NetworkOptions, FormatOptions):
    """Options of `clipfg doctor`."""


@options("Data", command="prompts")
class PromptLintOptions(FormatOptions):
    """Options of `clipfg prompts lint`."""

    classes: Path | None = option(
        None, "Class names to check against.", metavar="FILE", shared=True
    )
    model: str | None = option(
        None, "Encoder whose tokenizer counts tokens.", "-m", metavar="NAME", shared=True
    )


@options("Output", command="report")
class ReportOptions(FormatOptions):
    """Options of `clipfg report`."""

    html: bool = option(False, "Also write report.html into each run folder.")
