"""`clipfg suggest`: which images to label next."""

from clipfg.cli.command import command, perform
from clipfg.options import SuggestOptions


@command(SuggestOptions, data=True)
def suggest(options: SuggestOptions) -> int:
    """Choose which images to label next (active learning).

    Works from images alone, with class names, and with labels: the data's own, those of --labelled
    or of --own-labels. The run folder gets suggestions.csv; fill in its column `label` and pass it
    to --labelled.
    """
    from clipfg.cli.output import chosen_format, finish, print_result, print_rows
    from clipfg.workflows.suggest.run import run_suggest
    from clipfg.workflows.suggest.simulate import run_simulation

    if options.simulate:
        simulation = perform(run_simulation, options)
        print_result(simulation.result.grid(), simulation.rows(), options.format)
        return finish(simulation)
    run = perform(run_suggest, options)
    rows = run.rows()
    if chosen_format(options.format) == "table":
        told = {key for row in rows for key in row if row[key] is not None} - {"path"}
        rows = [{key: row[key] for key in row if key in told} for row in rows]
    print_rows(rows, options.format, title="What to label next")
    return finish(run)
