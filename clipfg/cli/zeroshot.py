"""`clipfg zeroshot`: accuracy of class names alone, with intervals."""

from clipfg.cli.command import command, perform
from clipfg.options import ZeroshotOptions


@command(ZeroshotOptions, data=True)
def zeroshot(options: ZeroshotOptions) -> int:
    """Measure zero-shot accuracy on labelled images.

    Images are embedded once and cached; a second run takes seconds. The run folder gets a row per
    image (predictions.parquet) and the figures (results.json). Several prompt sets are compared on
    the same features, each with the first, image by image.

    fgovd, sugarcrepe, winoground and aro bring their own texts: accuracy is how often the true one
    scores highest.
    """
    from clipfg.cli.output import finish, print_result
    from clipfg.workflows.zeroshot.run import run_zeroshot

    run = perform(run_zeroshot, options)
    whole = run.result is run.report
    print_result(run.result, run.rows(), options.format, whole=whole)
    return finish(run)
