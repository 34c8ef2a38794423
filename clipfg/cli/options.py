"""The options that commands share: the same word for the same thing everywhere.

Every default here is None, so that `Settings.resolve` can tell a flag from an omission; the
defaults themselves, and the order in which sources win, are in `clipfg.settings`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from clipfg.settings import Settings

DATA, ENCODER, RUN, OUTPUT = "Data", "Encoder", "Run", "Output"
DEMONSTRATIONS, CONFIDENCE = "Demonstrations", "Confidence"

Dataset = Annotated[
    str | None,
    typer.Option(
        "--dataset",
        "-d",
        metavar="NAME|PATH",
        help="A registry name, a folder, a CSV/JSONL/Parquet manifest, a tar, hf:REPO, or"
        " features:FILE.",
        rich_help_panel=DATA,
    ),
]
DataRoot = Annotated[
    Path | None,
    typer.Option("--data-root", help="The folder that holds the data sets.", rich_help_panel=DATA),
]
Split = Annotated[
    str | None,
    typer.Option(
        "--split", help="Which part of the data (default: its own).", rich_help_panel=DATA
    ),
]
Classes = Annotated[
    Path | None,
    typer.Option(
        "--classes",
        metavar="FILE",
        help="Class names: a text file (one a line) or a CSV (name,parent,text...).",
        rich_help_panel=DATA,
    ),
]
Limit = Annotated[
    int | None, typer.Option("--limit", help="At most so many items.", rich_help_panel=DATA)
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        metavar="NAME|PATH",
        help="An encoder; `clipfg models list` shows a choice.",
        rich_help_panel=ENCODER,
    ),
]
Prompts = Annotated[
    str | None,
    typer.Option(
        "--prompts",
        metavar="NAME|FILE",
        help="A prompt set (`clipfg prompts list`); `a+b` joins two.",
        rich_help_panel=ENCODER,
    ),
]
PromptSets = Annotated[
    str | None,
    typer.Option(
        "--prompts",
        metavar="NAME|FILE",
        help="A prompt set (`clipfg prompts list`); `a+b` joins two, `a,b` compares them, `auto`"
        " chooses without labels.",
        rich_help_panel=ENCODER,
    ),
]
Ensemble = Annotated[
    str | None,
    typer.Option(
        "--ensemble",
        metavar="NAME",
        help="How sentences become one weight per class: mean, score-mean, sentences, product,"
        " waffle, weighted, or several joined by +.",
        rich_help_panel=ENCODER,
    ),
]
Transductive = Annotated[
    str | None,
    typer.Option(
        "--transductive",
        metavar="NAME",
        help="Refine on the unlabelled pool: transclip, label-propagation, tda.",
        rich_help_panel=ENCODER,
    ),
]
Store = Annotated[
    Path | None,
    typer.Option("--store", metavar="DIR", help="The folder of a key store.", rich_help_panel=DATA),
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        metavar="CONDITION",
        help="label=NAME, label!=NAME, split=NAME or id=GLOB; may be given several times.",
        rich_help_panel=DATA,
    ),
]
Device = Annotated[
    str | None,
    typer.Option("--device", help="auto, cpu, cuda, cuda:1, mps.", rich_help_panel=ENCODER),
]
Precision = Annotated[
    str | None,
    typer.Option("--precision", help="auto, fp32, bf16, fp16.", rich_help_panel=ENCODER),
]
BatchSize = Annotated[
    int | None,
    typer.Option("--batch-size", help="Images per forward pass.", rich_help_panel=ENCODER),
]
Workers = Annotated[
    int | None, typer.Option("--workers", help="Decoding threads.", rich_help_panel=RUN)
]
Seed = Annotated[
    int | None, typer.Option("--seed", help="Of everything random.", rich_help_panel=RUN)
]
Resume = Annotated[
    bool | None,
    typer.Option(
        "--resume/--no-resume",
        help="Use embeddings kept by earlier runs, or embed everything again.",
        rich_help_panel=RUN,
        show_default=False,
    ),
]
Offline = Annotated[
    bool | None,
    typer.Option(
        "--offline/--online",
        help="Never touch the network.",
        rich_help_panel=RUN,
        show_default=False,
    ),
]
Strict = Annotated[
    bool | None,
    typer.Option(
        "--strict/--no-strict",
        help="Stop at the first item that fails.",
        rich_help_panel=RUN,
        show_default=False,
    ),
]
CacheDir = Annotated[
    Path | None,
    typer.Option("--cache-dir", help="Where embeddings are kept.", rich_help_panel=RUN),
]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="A TOML file with any of these options.",
        rich_help_panel=RUN,
    ),
]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="PATH", help="The run folder.", rich_help_panel=OUTPUT),
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        "-f",
        help="table, json, jsonl, csv, parquet (default: a table on a terminal, else jsonl).",
        rich_help_panel=OUTPUT,
    ),
]
TopK = Annotated[
    int | None,
    typer.Option("--top-k", "-k", help="Answers kept per image.", rich_help_panel=OUTPUT),
]
ShownShots = Annotated[
    str | None,
    typer.Option(
        "--shots", metavar="K", help="Demonstrations shown (4).", rich_help_panel=DEMONSTRATIONS
    ),
]
DemoStrategy = Annotated[
    str | None,
    typer.Option(
        "--strategy",
        metavar="NAME",
        help="How they are selected: nearest, per-class, diverse, image-then-text.",
        rich_help_panel=DEMONSTRATIONS,
    ),
]
Order = Annotated[
    str | None,
    typer.Option(
        "--order",
        help="Where the most similar one stands: first or last.",
        rich_help_panel=DEMONSTRATIONS,
    ),
]
Candidates = Annotated[
    str | None,
    typer.Option(
        "--candidates",
        metavar="WHICH",
        help="Names that may be answered: all, zero-shot:M or retrieved:M.",
        rich_help_panel=DEMONSTRATIONS,
    ),
]
Choices = Annotated[
    int | None,
    typer.Option(
        "--choices",
        metavar="N",
        help="Ask for the letter of one of N names instead.",
        rich_help_panel=DEMONSTRATIONS,
    ),
]
Instruction = Annotated[
    str | None,
    typer.Option(
        "--instruction",
        metavar="TEXT",
        help="Said first; {names} stands for the candidates.",
        rich_help_panel=DEMONSTRATIONS,
    ),
]
Question = Annotated[
    str | None,
    typer.Option(
        "--question",
        metavar="TEXT",
        help="Said after each image.",
        rich_help_panel=DEMONSTRATIONS,
    ),
]
Lvlm = Annotated[
    str | None,
    typer.Option(
        "--lvlm",
        metavar="NAME|PATH",
        help="An image-text-to-text model of transformers that answers.",
        rich_help_panel=DEMONSTRATIONS,
    ),
]
Within = Annotated[
    str | None,
    typer.Option(
        "--within",
        metavar="NODE",
        help="Tell apart only the classes below a node of the taxonomy, or those named.",
        rich_help_panel=DATA,
    ),
]
TargetError = Annotated[
    float | None,
    typer.Option(
        "--target-error",
        metavar="SHARE",
        help="Answer only where at most this share of answers is wrong (0.05), else abstain.",
        rich_help_panel=CONFIDENCE,
    ),
]
PredictionSet = Annotated[
    float | None,
    typer.Option(
        "--prediction-set",
        metavar="SHARE",
        help="A set of classes that holds the true one this often (0.9).",
        rich_help_panel=CONFIDENCE,
    ),
]
EachClass = Annotated[
    bool | None,
    typer.Option(
        "--each-class",
        help="Sets hold the true class that often within every class.",
        rich_help_panel=CONFIDENCE,
    ),
]
Unknown = Annotated[
    bool | None,
    typer.Option(
        "--unknown",
        help="Tell images that belong to none of the classes.",
        rich_help_panel=CONFIDENCE,
    ),
]
RollUp = Annotated[
    float | None,
    typer.Option(
        "--roll-up",
        metavar="SHARE",
        help="Answer with the narrowest group (genus, family) that is this probable (0.8).",
        rich_help_panel=CONFIDENCE,
    ),
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Errors only on stderr.", rich_help_panel=OUTPUT)
]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="More detail on stderr.", rich_help_panel=OUTPUT)
]


def resolve(command: str, given: dict[str, Any]) -> Settings:
    """The settings of a command from its parameters; sets up logging on the way."""
    from clipfg.cli.console import set_up_logging
    from clipfg.settings import Settings

    flags = dict(given)
    set_up_logging(quiet=flags.pop("quiet", False), verbose=flags.pop("verbose", False))
    config = flags.pop("config", None)
    return Settings.resolve(
        config, command, **{k: v for k, v in flags.items() if k in Settings.model_fields}
    )
