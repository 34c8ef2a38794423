"""`clipfg zeroshot`: accuracy of class names alone, with intervals."""

from clipfg.cli.command import command, perform
from clipfg.options import ZeroshotOptions


@command(ZeroshotOptions, data=True)
def zeroshot(options: ZeroshotOptions) -> int:
    """Measure zero-shot accuracy on labelled images.

    Images are embedded once and cached; a second run takes seconds. The run folder gets a row per
    image (predictions.parquet) and the figures (results.json). Several prompt sets are compared on
    the same features, each with the first, image by image.
    """
    from clipfg.cli.output import chosen_format, finish, print_result, print_rows
    from clipfg.workflows.zeroshot.run import run_zeroshot

    form = chosen_format(options.format)
    run = perform(run_zeroshot, options)
    if run.comparison is None or form == "table":
        print_result(run.comparison or run.report, form)
    else:
        print_rows(run.rows(), form)
    return finish(run)
