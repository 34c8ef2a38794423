"""Images ranked by what a label of them is worth, and why."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipfg.acquisition.base import STRATEGIES, UnlabelledPool
from clipfg.functional.uncertainty import margin_uncertainty
from clipfg.workflows.pool import FeaturePool


@dataclass(frozen=True)
class Suggestion:
    """An image to label: how unsure its class is (0 to 1), its likeliest class, and a reason.

    `uncertainty` and `likely` are None where nothing is known of the classes.
    """

    rank: int
    id: str
    path: str
    likely: str | None
    probability: float | None
    uncertainty: float | None
    why: str


def rank(
    pool: FeaturePool,
    scene: UnlabelledPool,
    names: Sequence[str],
    strategy: str,
    budget: int,
) -> list[Suggestion]:
    """What a strategy chooses of `scene`, the features of `pool`; `names` are of its columns."""
    odds = scene.probabilities
    chosen = STRATEGIES.get(strategy)(scene, budget)
    shares = _stands_for(scene.features, scene.labelled, chosen)
    found = []
    for place, (row, share) in enumerate(zip(chosen.tolist(), shares.tolist(), strict=True), 1):
        likely = probability = unsure = None
        why = f"nearest to {share:,} images" if share > 1 else "unlike all others"
        if odds is not None:
            best = odds[row].topk(min(2, len(names)))
            likely, probability = names[int(best.indices[0])], float(best.values[0])
            unsure = float(margin_uncertainty(odds[row : row + 1])[0])
            if len(names) > 1 and unsure > 0.5:
                why += f"; {likely} or {names[int(best.indices[1])]}"
        found.append(
            Suggestion(place, pool.ids[row], pool.uris[row], likely, probability, unsure, why)
        )
    return found


def _stands_for(
    features: Float[Tensor, "n d"], known: Float[Tensor, "m d"], chosen: Int[Tensor, " b"]
) -> Int[Tensor, " b"]:
    """How many images are nearer to each chosen one than to others or to any labelled one."""
    anchors = torch.cat([known, features[chosen]])
    nearest = torch.cat([(block @ anchors.T).argmax(dim=1) for block in features.split(1024)])
    return torch.bincount(nearest, minlength=len(anchors))[len(known) :]
