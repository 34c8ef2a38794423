"""Options of the commands that classify: zeroshot, predict and fewshot."""

from pathlib import Path

from clipfg.options.data import GroupOptions, TaxonomyOptions, TileOptions, ViewPoolingOptions
from clipfg.options.declare import option, options
from clipfg.options.groups import (
    ConfidenceOptions,
    DataJobOptions,
    OutputOptions,
    PageOptions,
    PromptOptions,
    PrototypeOptions,
    TopKOptions,
)


@options("Model", command="zeroshot")
class ZeroshotOptions(
    DataJobOptions,
    TaxonomyOptions,
    ViewPoolingOptions,
    PromptOptions,
    OutputOptions,
    TopKOptions,
    PageOptions,
):
    """Options of `clipfg zeroshot`."""

    prompts: str | None = option(
        None,
        "Prompt set (`clipfg prompts list`); `a+b` joins two, `a,b` compares them, `auto` chooses"
        " without labels.",
        metavar="NAME|FILE",
    )
    transductive: str | None = option(
        None,
        "Refine on the unlabelled test pool: transclip, label-propagation or tda.",
        metavar="NAME",
    )
    roll_up: float | None = option(
        None,
        "Answer with the narrowest taxonomic group that is this probable (0.8).",
        metavar="SHARE",
        shared=True,
    )
    explain: int | None = option(
        None, "Also show why, for the N surest mistakes (explain.html).", metavar="N", least=1
    )


@options("Data", command="predict")
class PredictOptions(
    DataJobOptions,
    GroupOptions,
    TileOptions,
    TaxonomyOptions,
    ViewPoolingOptions,
    PromptOptions,
    PrototypeOptions,
    ConfidenceOptions,
    OutputOptions,
    TopKOptions,
):
    """Options of `clipfg predict`."""

    head: Path | None = option(
        None, "Head saved by `clipfg fewshot --save` or `clipfg bags --save`.", metavar="FILE"
    )
    to: str | None = option(
        None,
        "Also write the answers as megadetector, coco, label-studio, camtrap-dp, xmp or links, or"
        " several (a,b).",
        metavar="FORMATS",
    )
    explain: int | None = option(
        None, "Also show why, for the N least sure answers (explain.html).", metavar="N", least=1
    )


@options("Query", command="explain")
class ExplainOptions(DataJobOptions, PromptOptions, PrototypeOptions, OutputOptions):
    """Options of `clipfg explain`."""

    for_class: str | None = option(
        None,
        "The class to find evidence for; by default the likeliest.",
        flag="--for",
        metavar="CLASS",
    )
    vs_class: str | None = option(
        None,
        "The class to compare it with; by default the second likeliest.",
        flag="--vs",
        metavar="CLASS",
    )
    method: str = option(
        "dense",
        "How evidence is found: dense, legrad, grad-eclip or rollout; or prototypes, by --head.",
        metavar="NAME",
    )
    head: Path | None = option(
        None, "A patch-prototypes head, for --method prototypes.", metavar="FILE"
    )
    phrases: str | None = option(
        None,
        "Descriptions of the classes, a prompt set or a file; by default those of --prompts and"
        " --classes.",
        metavar="NAME|FILE",
    )


@options("Query", command="heads")
class HeadShowOptions(DataJobOptions, TaxonomyOptions, PrototypeOptions, OutputOptions):
    """Options of `clipfg heads show`."""


@options("Learning", command="fewshot")
class FewshotOptions(
    DataJobOptions,
    GroupOptions,
    TaxonomyOptions,
    PromptOptions,
    ConfidenceOptions,
    OutputOptions,
    TopKOptions,
    PageOptions,
):
    """Options of `clipfg fewshot`."""

    shots: str | None = option(
        None, "Training images per class, such as 1,2,4,8,16 (the default) or all.", metavar="LIST"
    )
    heads: str = option(
        "auto,whitened-mean,gda,linear-probe,tip-adapter,class-mean",
        "Heads to compare (`clipfg heads list`), each with the first; `gda+transclip` refines on"
        " the unlabelled test pool.",
        "--head",
        metavar="NAMES",
    )
    seeds: int = option(3, "Random draws of the support set.", least=1, most=100)
    support: Path | None = option(
        None,
        "Learn from these images: ids, one per line, or CSV/JSONL with id and label.",
        metavar="FILE",
    )
    own_labels: str | None = option(
        None,
        "Learn from your own images, a folder per class. Without --dataset, accuracy is estimated"
        " by cross-validation.",
        metavar="FOLDER",
    )
    save: Path | None = option(
        None,
        "Save the first head, trained on the most shots, for `clipfg predict --head`.",
        metavar="FILE",
    )
    calibration: str = option(
        "folds",
        "What confidence is calibrated on: folds of the support set, a held-out quarter of it"
        " (split), or a split of the data.",
        metavar="folds|split|SPLIT",
    )


@options("Learning", command="bags")
class BagsOptions(
    DataJobOptions,
    TileOptions,
    ConfidenceOptions,
    OutputOptions,
    TopKOptions,
    PageOptions,
):
    """Options of `clipfg bags`."""

    heads: str = option(
        "abmil,dsagl,dsmil,bag-max,bag-mean",
        "Heads on bags to compare (`clipfg heads list`), each with the first.",
        "--head",
        metavar="NAMES",
    )
    negative: str | None = option(
        None,
        "The class whose bags hold nothing of their own, - for none; by default one that is called"
        " negative, normal, healthy, ...",
        metavar="CLASS",
    )
    seeds: int = option(3, "Random seeds of heads and folds.", least=1, most=100)
    folds: int = option(5, "Folds to test on, for data without splits.", least=2, most=100)
    save: Path | None = option(
        None, "Save the first head, for `clipfg predict --head`.", metavar="FILE"
    )
