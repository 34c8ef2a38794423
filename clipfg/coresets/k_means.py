"""k-means: the centres of each class's clusters."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from clipfg.coresets.base import ClassKeys, PerClassCoreset, nearest_distinct
from clipfg.functional.kmeans import kmeans
from clipfg.functional.similarity import unit_norm


@dataclass(eq=False)
class KMeans(PerClassCoreset):
    """Unit-norm k-means centres of each class; each is shown as the real item nearest to it.

    With one key per class it is `class-mean`; with as many keys as items each item is its own.
    `seed` is that of the k-means++ start.

    Source: Lloyd 1982, doi:10.1109/TIT.1982.1056489.
    """

    name: ClassVar[str] = "k-means"

    seed: int = 0

    def condense_class(self, rows: Tensor, m: int, generator: torch.Generator) -> ClassKeys:
        """The centres of `m` clusters."""
        centres = unit_norm(kmeans(rows, m, generator).centres)
        return ClassKeys(centres, nearest_distinct(rows, centres))
