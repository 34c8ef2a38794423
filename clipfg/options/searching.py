"""Options of the commands around the key store: index, retrieve, coreset, demos and icl."""

from pathlib import Path
from typing import ClassVar, Literal

from clipfg.options.data import GroupOptions, RegionOptions
from clipfg.options.declare import option, options
from clipfg.options.groups import (
    DataJobOptions,
    DemonstrationOptions,
    FormatOptions,
    JobOptions,
    MetricOptions,
    OutputOptions,
    PageOptions,
    PromptOptions,
    PromptSetOptions,
    StoreOptions,
    TopKOptions,
)


@options("Store", command="index")
class IndexDataOptions(DataJobOptions, RegionOptions, StoreOptions):
    """Options of `clipfg index build` and `add`."""

    split: str = option("all", "Split to index.")
    prefix: str = option("", "Text put before every id, where two folders use the same ids.")


@options("Store", command="index")
class IndexBuildOptions(IndexDataOptions):
    """Options of `clipfg index build`."""

    factory: str | None = option(
        None,
        "How keys are searched: Flat (exact, the default), IVF1024,Flat, HNSW32, ...",
        metavar="FAISS",
    )
    replace: bool = option(False, "Replace a store that holds other data.")


@options("Store", command="index")
class IndexAddOptions(IndexDataOptions):
    """Options of `clipfg index add`."""

    prune: bool = option(False, "Remove items of the same data that are no longer there.")


@options("Store", command="index")
class IndexRemoveOptions(StoreOptions):
    """Options of `clipfg index remove`."""

    where: tuple[str, ...] = option(
        (),
        "Only items with label=NAME, label!=NAME, split=NAME or id=GLOB; may be repeated.",
        metavar="CONDITION",
    )
    device: str = option("auto", "Device: cpu, cuda, cuda:1 or mps.", metavar="DEVICE", shared=True)


@options("Store", command="index")
class IndexShowOptions(StoreOptions, FormatOptions):
    """Options of `clipfg index info` and `verify`."""


@options("Query", command="retrieve")
class RetrieveOptions(
    DataJobOptions,
    RegionOptions,
    StoreOptions,
    MetricOptions,
    PromptSetOptions,
    FormatOptions,
    TopKOptions,
):
    """Options of `clipfg retrieve`."""

    alternatives: ClassVar[tuple[str, ...]] = ("store", "dataset")
    split: str = option("all", "Split to search, with --dataset.")
    top_k: int = option(10, "Hits to show per query.", "-k", metavar="K", least=1, most=1000)
    queries: Path | None = option(
        None, "Many queries, one per line: a text or the path of a photo.", metavar="FILE"
    )
    negated: tuple[str, ...] = option(
        (), "Exclude images matching TEXT; may be repeated.", flag="--not", metavar="TEXT"
    )
    weight: float = option(
        0.5, "Weight of texts against photos, 0 to 1.", metavar="SHARE", least=0, most=1
    )
    raw: bool = option(False, "Use texts as they are, without prompts.")
    where: tuple[str, ...] = option(
        (),
        "Only items with this label, split or id (GLOB); != for all others; may be repeated.",
        metavar="FIELD=VALUE",
    )
    dedup: bool = option(False, "Leave out near-duplicates of better hits.")
    duplicate: float | None = option(
        None, "Cosine from which --dedup takes two images for duplicates (0.98).", metavar="COSINE"
    )
    per_class: int | None = option(None, "At most N hits of each label.", metavar="N", least=1)
    html: str | None = option(
        None, "Also write a page of thumbnails; `auto` names the file.", metavar="FILE|auto"
    )


@options("Coreset", command="coreset")
class CoresetOptions(DataJobOptions, GroupOptions, StoreOptions, OutputOptions, PageOptions):
    """Options of `clipfg coreset`."""

    alternatives: ClassVar[tuple[str, ...]] = ("store", "dataset")
    strategy: str | None = option(
        None,
        "Strategy (`clipfg coresets list`; default discriminant); several are compared.",
        metavar="NAMES",
    )
    per_class: str | None = option(
        None, "Keys per class (default 5); several numbers are compared.", metavar="LIST"
    )
    total: int | None = option(None, "Keys in all, shared out evenly over classes.", least=1)
    stream: bool = option(False, "See each image once, as it is embedded (discriminant-online).")
    compare: bool = option(False, "Measure strategies on the test split; write no store.")
    seeds: int = option(3, "Random draws to compare.", least=1, most=100)


@options("Demonstrations", command="demos")
class DemosOptions(
    JobOptions, StoreOptions, MetricOptions, DemonstrationOptions, PromptOptions, OutputOptions
):
    """Options of `clipfg demos`."""

    output: Path | None = option(
        None, "Also write the prompt to a JSON file.", "-o", metavar="FILE"
    )
    chat: Literal["openai", "transformers"] = option("openai", "Format of the chat messages.")
    data_urls: bool = option(False, "Embed small copies of the images in the prompt.")


@options("Demonstrations", command="icl")
class IclOptions(
    DataJobOptions,
    StoreOptions,
    MetricOptions,
    DemonstrationOptions,
    PromptOptions,
    OutputOptions,
    TopKOptions,
):
    """Options of `clipfg icl`."""
