"""Which weights between base and tuned are kept, and the report on them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import numpy as np

from clipfg.evaluation.statistics.clustered import clustered_mean
from clipfg.evaluation.tuning.report import BlendPoint, TuningReport, TuningRow
from clipfg.training.blending import Blend
from clipfg.training.loop import History
from clipfg.training.recipes import Recipe
from clipfg.types import Estimate
from clipfg.workflows.finetune.probe import Outcomes, objective_of, zero_shot_of

NAMES = {"retrieval": "Recall@1", "classes": "accuracy"}
"""What an objective is called."""

Measured = Mapping[str, Outcomes]


def choose_share(curve: Sequence[Blend[dict[str, Outcomes]]], recipe: Recipe) -> float:
    """The share of the tuned weights with the best objective among those that keep enough.

    Enough is `recipe.keep` of the base's accuracy on classes, where there are any. 0, the base,
    where no other share is better.
    """
    base = zero_shot_of(curve[0].measured)
    best, share = -1.0, 0.0
    for point in curve:
        kept = zero_shot_of(point.measured)
        enough = base is None or kept is None or kept >= recipe.keep * base
        value = objective_of(point.measured, recipe.objective)
        if enough and value > best:
            best, share = value, point.share
    return share


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
        table=tuple(_row(name, base[name], tuned[name], kept[name], seed) for name in base),
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
    )


def _row(name: str, base: Outcomes, tuned: Outcomes, kept: Outcomes, seed: int) -> TuningRow:
    clusters = [str(number) for number in base.clusters.tolist()]

    def mean(values: np.ndarray, least: float = 0.0) -> Estimate:
        return clustered_mean(values, clusters, seed, least=least)

    return TuningRow(
        name,
        len(base.values),
        mean(base.values),
        mean(tuned.values),
        mean(kept.values),
        mean(kept.values - base.values, least=-1.0),
        base.chance,
    )
