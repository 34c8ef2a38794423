"""`clipfg embed`: the features themselves, in a file."""

from clipfg.cli.command import command, perform
from clipfg.errors import UsageError
from clipfg.options import EmbedOptions


@command(EmbedOptions, data=True)
def embed(options: EmbedOptions) -> int:
    """Write unit-norm image features with ids and labels: .parquet, .npz or .safetensors.

    Wherever data is named, features:FILE reads them back.
    """
    from clipfg.cli.output import say
    from clipfg.workflows.embed import run_embed

    if options.output is None:
        raise UsageError("Give --output FILE.parquet, .npz or .safetensors.")
    run = perform(run_embed, options)
    say(f"Wrote {run.done:,} features of width {run.features.dim} to {run.path}")
    return run.exit_code
