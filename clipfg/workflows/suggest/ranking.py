"""Images ranked by how much a label of each is worth, with the reason."""

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
    """An image to label: its likeliest class, how uncertain that is (0 to 1), and the reason.

    `likely`, `probability` and `uncertainty` are None where there are no class probabilities.
    """

    rank: int
    id: str
    path: str
    likely: str | None
    probability: float | None
    uncertainty: float | None
    why: str
    box: list[float] | None = None
    """The part of the image that is to be labelled; None for all of it."""


def rank(
    pool: FeaturePool, candidates: UnlabelledPool, names: Sequence[str], strategy: str, budget: int
) -> list[Suggestion]:
    """What a strategy chooses, best first.

    `candidates` has the features of `pool`, and `names` are the classes of its probabilities.
    """
    probabilities = candidates.probabilities
    chosen = STRATEGIES.get(strategy)(candidates, budget)
    shares = _represented(candidates.features, candidates.labelled, chosen)
    found = []
    for place, (row, share) in enumerate(zip(chosen.tolist(), shares.tolist(), strict=True), 1):
        likely = probability = uncertainty = None
        why = f"nearest to {share:,} images" if share > 1 else "unlike all others"
        if probabilities is not None:
            best = probabilities[row].topk(min(2, len(names)))
            likely, probability = names[int(best.indices[0])], float(best.values[0])
            uncertainty = float(margin_uncertainty(probabilities[row : row + 1])[0])
            if len(names) > 1 and uncertainty > 0.5:
                why += f"; {likely} or {names[int(best.indices[1])]}"
        id, uri, box = pool.ids[row], pool.uris[row], (pool.boxes or {}).get(pool.ids[row])
        found.append(Suggestion(place, id, uri, likely, probability, uncertainty, why, box))
    return found


def _represented(
    features: Float[Tensor, "n d"], known: Float[Tensor, "m d"], chosen: Int[Tensor, " b"]
) -> Int[Tensor, " b"]:
    """How many images are nearest to each chosen one, of all that are chosen or labelled."""
    anchors = torch.cat([known, features[chosen]])
    nearest = torch.cat([(block @ anchors.T).argmax(dim=1) for block in features.split(1024)])
    return torch.bincount(nearest, minlength=len(anchors))[len(known) :]
