"""`clipfg bags`: heads that learn from labels of whole bags, compared, and the first saved."""

from clipfg.cli.command import command, perform
from clipfg.options import BagsOptions


@command(BagsOptions, data=True)
def bags(options: BagsOptions) -> int:
    """Learn from labels of whole bags of images: slides, plants, lots, folders.

    Heads are fitted to the train split and tested on the test split; data without splits are tested
    in folds of bags. Every choice that a head makes is made on folds of the bags that it learns
    from. The run folder gets the first head's answers, a row a bag (predictions.parquet), and what
    each instance says, a row each (instances.parquet); --html shows both.
    """
    from clipfg.cli.output import finish, print_result
    from clipfg.workflows.bags.run import run_bags

    run = perform(run_bags, options)
    print_result(run.report, run.rows(), options.format, whole=True)
    return finish(run)
