"""`clipfg fewshot`: heads that learn from a few labelled images, compared, and the best saved."""

from clipfg.cli.command import command, perform
from clipfg.options import FewshotOptions


@command(FewshotOptions, data=True)
def fewshot(options: FewshotOptions) -> int:
    """Train classifiers on a few labelled images per class, and measure their accuracy.

    Support sets are drawn from the train split, one per seed, and heads are evaluated on the test
    split, beside zero-shot. Every choice that a head makes is made on its support set. The run
    folder gets the learning curve (curve.png, results.json) and the first head's predictions
    (predictions.parquet).
    """
    from clipfg.cli.output import finish, print_result
    from clipfg.workflows.fewshot.run import run_fewshot

    run = perform(run_fewshot, options)
    print_result(run.curve, run.rows(), options.format, whole=True)
    return finish(run)
