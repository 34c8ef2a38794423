"""Which weights between base and tuned are kept, the checkpoint of them, and the report."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from clipfg import __version__
from clipfg.encoders.catalogue import CATALOGUE
from clipfg.encoders.checkpoint import CheckpointEncoder
from clipfg.encoders.model_files import write_json
from clipfg.errors import DataError, UsageError
from clipfg.evaluation.statistics.clustered import clustered_mean
from clipfg.evaluation.tuning.report import BlendPoint, TuningReport, TuningRow
from clipfg.training.blending import Blend
from clipfg.training.loop import History
from clipfg.training.recipes import Recipe
from clipfg.training.state import check_room, state_size
from clipfg.trees import parse_json
from clipfg.types import Estimate
from clipfg.workflows.finetune.job import Job
from clipfg.workflows.finetune.probe import Outcomes, gain_of, objective_of, zero_shot_of

NAMES = {"retrieval": "Recall@1", "classes": "accuracy"}
"""What an objective is called."""
PROVENANCE = "provenance.json"
"""Where a checkpoint says what it was made of."""

Measured = Mapping[str, Outcomes]


def choose_share(curve: Sequence[Blend[dict[str, Outcomes]]], recipe: Recipe) -> tuple[float, str]:
    """The share of the tuned weights with the best objective among those that keep enough.

    Enough is `recipe.keep` of the base's accuracy on classes, where there are any. 0, the base,
    where no other share is better by more than what images at random would show, with a remark.
    """
    base = zero_shot_of(curve[0].measured)
    best = curve[0]
    for point in curve:
        kept = zero_shot_of(point.measured)
        enough = base is None or kept is None or kept >= recipe.keep * base
        value, most = (objective_of(one.measured, recipe.objective) for one in (point, best))
        if enough and value > most:
            best = point
    if best is curve[0]:
        return 0.0, ""
    gain, margin = gain_of(curve[0].measured, best.measured, recipe.objective)
    if gain > margin:
        return best.share, ""
    return 0.0, (
        f"The best weights are {100 * gain:.1f} points of {NAMES[recipe.objective]} above the base"
        f" on validation images, of which chance alone gives up to {100 * margin:.1f}: more of"
        " these images would tell."
    )


def save_tuned(job: Job, encoder: CheckpointEncoder, path: Path, share: float) -> None:
    """The checkpoint, with where it comes from. Raises `ResourceError` where it finds no room."""
    check_room(path, state_size(encoder.model.state_dict()))
    encoder.save(path)
    entry = next((one for one in CATALOGUE if one.name == job.encoder.name), None)
    more = {
        "base_licence": entry.licence if entry else None,
        "share_of_tuned_weights": share,
        "clipfg": __version__,
    }
    write_json(path / PROVENANCE, _made_of(job) | more)


def check_no_other(job: Job, path: Path) -> None:
    """Raises `UsageError` where a folder holds a checkpoint that another run has made.

    It may have taken hours; the same run may be written over itself.
    """
    try:
        kept = dict(parse_json((path / PROVENANCE).read_text(encoding="utf-8")))
    except (OSError, TypeError, ValueError, DataError):
        return  # nothing is there that could be lost
    new = json.loads(json.dumps(_made_of(job)))
    if other := [name for name, value in new.items() if kept.get(name) != value]:
        raise UsageError(
            f"{path} holds an encoder that was tuned otherwise ({', '.join(other)}); name another"
            " folder by --output, or remove it."
        )


def _made_of(job: Job) -> dict[str, Any]:
    """What a checkpoint follows from."""
    base, train = job.encoder, job.parts.train
    return {
        "base": base.name,
        "base_fingerprint": base.fingerprint,
        "data": train.name,
        "data_digest": train.manifest.digest,
        "framing": job.framing and asdict(job.framing),
        "recipe": {"name": job.recipe.name, **asdict(job.recipe)},
        "seed": job.seed,
    }


def tuning_report(
    measured: tuple[Measured, Measured, Measured],
    curve: Sequence[Blend[dict[str, Outcomes]]],
    share: float,
    history: History,
    recipe: Recipe,
    context: Mapping[str, str],
    remarks: Sequence[str],
    seed: int,
) -> TuningReport:
    """The report of a run: measures of the base, the tuned and the kept weights on test images."""
    base, tuned, kept = measured
    return TuningReport(
        table=tuple(_row(name, base[name], tuned[name], kept[name], share, seed) for name in base),
        blend=tuple(
            BlendPoint(
                point.share,
                objective_of(point.measured, recipe.objective),
                zero_shot_of(point.measured),
            )
            for point in curve
        ),
        share=share,
        objective=NAMES[recipe.objective],
        checks=tuple(history.checks),
        losses=tuple(history.losses),
        context=context,
        recipe=asdict(recipe),
        remarks=tuple(remarks),
        diverged=history.diverged,
    )


def _row(
    name: str, base: Outcomes, tuned: Outcomes, kept: Outcomes, share: float, seed: int
) -> TuningRow:
    clusters = [str(number) for number in base.clusters.tolist()]

    def mean(values: np.ndarray, least: float = 0.0) -> Estimate:
        return clustered_mean(values, clusters, seed, least=least)

    return TuningRow(
        name,
        len(base.values),
        mean(base.values),
        mean(tuned.values),
        mean(kept.values),
        # A copy of the base changes nothing, however few images say so.
        mean(kept.values - base.values, least=-1.0) if share else Estimate(0.0, 0.0, 0.0),
        base.chance,
    )
