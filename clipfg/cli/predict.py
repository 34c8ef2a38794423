"""`clipfg predict`: a row per photo."""

from pathlib import Path
from typing import Annotated

import typer

from clipfg.cli.command import command, perform
from clipfg.options import PredictOptions

SHOWN = 40
"""Rows that a table shows; the run folder has them all."""


@command(PredictOptions)
def predict(
    options: PredictOptions,
    photos: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PHOTOS", help="Images, or folders of them.", show_default=False),
    ] = None,
) -> int:
    """Classify unlabelled images: the likeliest classes of each.

    The classes come from --classes (names are enough), or from a head saved earlier. A head saved
    by `clipfg fewshot` is calibrated: it can abstain, give a set of classes that contains the true
    one as often as you ask, and flag out-of-distribution images.
    """
    from clipfg.cli.output import finish, print_predictions
    from clipfg.workflows.predict import run_predict

    run = perform(lambda session: run_predict(session, photos or ()), options)
    print_predictions(run.predictions, options.format, shown=SHOWN)
    return finish(run)
