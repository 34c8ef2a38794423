"""`clipfg icl`: accuracy with demonstrations, beside that of the labels shown and of zero-shot."""

from __future__ import annotations

from clipfg.cli import options


def icl(
    dataset: options.Dataset = None,
    data_root: options.DataRoot = None,
    split: options.Split = None,
    classes: options.Classes = None,
    limit: options.Limit = None,
    store: options.Store = None,
    shots: options.ShownShots = None,
    strategy: options.DemoStrategy = None,
    order: options.Order = None,
    candidates: options.Candidates = None,
    choices: options.Choices = None,
    instruction: options.Instruction = None,
    question: options.Question = None,
    lvlm: options.Lvlm = None,
    model: options.Model = None,
    prompts: options.Prompts = None,
    ensemble: options.Ensemble = None,
    device: options.Device = None,
    precision: options.Precision = None,
    batch_size: options.BatchSize = None,
    workers: options.Workers = None,
    seed: options.Seed = None,
    resume: options.Resume = None,
    offline: options.Offline = None,
    strict: options.Strict = None,
    cache_dir: options.CacheDir = None,
    config: options.Config = None,
    output: options.Output = None,
    format: options.Format = None,
    top_k: options.TopK = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Name labelled images from demonstrations out of a store, and say how well that went.

    Beside the language model stand, on the same images, the vote of the labels shown and
    zero-shot. Without --lvlm, those two alone. Answers are kept: run it again and it goes on.
    """
    settings = options.resolve("icl", dict(locals()))

    from clipfg.cli.console import progress_bar, stderr
    from clipfg.cli.output import chosen_format, print_result, print_rows
    from clipfg.workflows.icl.run import run_icl

    with progress_bar("Images") as progress:
        run = run_icl(settings, progress=progress)
    form = chosen_format(settings.format)
    if form == "table":
        print_result(run.comparison)
    else:
        print_rows(run.rows(), form)
    for remark in run.remarks:
        stderr().print(remark, markup=False, soft_wrap=True)
    stderr().print(f"Run folder: {run.folder}", soft_wrap=True)
    return run.exit_code
