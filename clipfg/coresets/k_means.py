"""k-means: the centres of each class's clusters."""

from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipfg.coresets.base import Coreset, CoresetKeys, nearest_distinct, rows_by_class
from clipfg.functional.kmeans import kmeans
from clipfg.functional.similarity import unit_norm


class KMeans(Coreset):
    """Unit-norm k-means centres of each class; each is shown as the real item nearest to it.

    With one key a class it is `class-mean`, with as many keys as items each item is its own.

    Parameters
    ----------
    seed
        Of the k-means++ start.

    Source: Lloyd 1982, doi:10.1109/TIT.1982.1056489.
    """

    name: ClassVar[str] = "k-means"

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def _condense(
        self, features: Float[Tensor, "n d"], labels: Int[Tensor, " n"], per_class: int
    ) -> CoresetKeys:
        generator = torch.Generator().manual_seed(self.seed)
        keys, exemplars = [], []
        for rows in rows_by_class(labels):
            own = features[rows]
            centres = unit_norm(kmeans(own, min(per_class, len(own)), generator).centres)
            keys.append(centres)
            exemplars.append(rows[nearest_distinct(own, centres)])
        chosen = torch.cat(exemplars)
        return CoresetKeys(torch.cat(keys), labels[chosen], chosen)
