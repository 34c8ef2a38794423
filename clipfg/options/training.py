"""Options of the commands that train."""

from pathlib import Path

from clipfg.options.declare import option, options
from clipfg.options.groups import DataJobOptions, OutputOptions, PageOptions, PromptOptions


@options("Learning", command="finetune")
class FinetuneOptions(DataJobOptions, PromptOptions, OutputOptions, PageOptions):
    """Options of `clipfg finetune`."""

    distill: bool = option(False, "Region-text distillation; the same as --recipe distill.")
    recipe: str | None = option(None, "How to train (`clipfg recipes list`).", metavar="NAME")
    set: tuple[str, ...] = option(
        (),
        "Change a number of the recipe (`clipfg recipes show NAME`), such as lr=1e-5; may be"
        " repeated.",
        metavar="NAME=VALUE",
    )
    unseen: float | None = option(
        None,
        "Keep this share of the classes out of training, to see what becomes of new ones.",
        metavar="SHARE",
        least=0.0,
        most=0.9,
    )
    processes: int = option(1, "Processes that train together.", metavar="N", least=1, most=64)
    tensorboard: Path | None = option(None, "Also write the losses for TensorBoard.", metavar="DIR")
