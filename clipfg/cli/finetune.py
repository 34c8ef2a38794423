"""`clipfg finetune`: an encoder trained on one's own images, and what that changed."""

from clipfg.cli.command import command, perform
from clipfg.options import FinetuneOptions


@command(FinetuneOptions, data=True)
def finetune(options: FinetuneOptions) -> int:
    """Fine-tune an encoder on images with captions, regions or classes, and measure what changed.

    `--distill` is region-text distillation; `clipfg recipes list` has other ways. Training sees the
    train split, validation images choose what is kept between the old and the new weights, and the
    table is of test images. The run folder gets the checkpoint (model/), which every command takes
    as --model, and the curves (losses.png, validation.png, results.json). Without --dataset, the
    built-in data and model are used.
    """
    from clipfg.cli.output import finish, print_result
    from clipfg.workflows.finetune.run import run_finetune

    run = perform(run_finetune, options)
    if run is None:  # the first of several processes prints
        return 0
    print_result(run.report, run.rows(), options.format, whole=True)
    return finish(run)
