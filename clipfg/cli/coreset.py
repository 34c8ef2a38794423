"""`clipfg coreset`: a few keys per class in place of many."""

from clipfg.cli.command import command, perform
from clipfg.options import CoresetOptions


@command(CoresetOptions, data=True)
def coreset(options: CoresetOptions) -> int:
    """Condense labelled images to a few keys per class: a small key store.

    The train split of --dataset or --store is condensed to the store --output, whose items are
    real images. With --compare, or several strategies or budgets, each is measured on the test
    split instead: a table, curve.png and results.json in a run folder, beside class means and the
    full support set.
    """
    from clipfg.cli.output import finish, print_result, print_rows, say
    from clipfg.workflows.coreset.compare import run_comparison
    from clipfg.workflows.coreset.run import compares, run_coreset

    if compares(options):
        comparison = perform(run_comparison, options)
        print_result(comparison.curve, comparison.rows(), options.format, whole=True)
        return finish(comparison)
    run = perform(run_coreset, options)
    print_rows(run.rows(), options.format)
    say(f"Key store: {run.folder}")
    return run.exit_code
