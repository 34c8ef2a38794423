"""`clipfg icl`: accuracy with demonstrations, beside that of the labels shown and of zero-shot."""

from clipfg.cli.command import command, perform
from clipfg.options import IclOptions


@command(IclOptions, data=True)
def icl(options: IclOptions) -> int:
    """Measure in-context accuracy of vision-language models.

    Each labelled image is classified from demonstrations out of a store. The vote of the labels
    shown and zero-shot classification are measured on the same images; without --lvlm, those two
    alone. Answers are cached: run the command again to resume.
    """
    from clipfg.cli.output import finish, print_result, say
    from clipfg.workflows.icl.run import run_icl

    run = perform(run_icl, options)
    print_result(run.comparison, run.rows(), options.format)
    for remark in run.remarks:
        say(remark)
    return finish(run)
