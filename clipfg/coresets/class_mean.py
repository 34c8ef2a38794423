"""Class mean: one key per class, the mean of its items, whatever the budget."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from clipfg.coresets.base import ClassKeys, PerClassCoreset
from clipfg.functional.similarity import unit_norm


@dataclass(eq=False)
class ClassMeanCoreset(PerClassCoreset):
    """The unit-norm mean of each class, shown as the real items nearest to it.

    A class has one mean: a budget of `m` repeats it `m` times, with the `m` nearest items as
    exemplars, nearest first. The accuracy of the nearest key is that of one key per class at every
    budget; a larger budget gives demonstrations more images to show. (Means of clusters of a
    class are `k-means`.) It is the baseline of every other strategy.

    Source: Snell et al. 2017, arXiv:1703.05175, with cosines in place of distances.
    """

    name: ClassVar[str] = "class-mean"

    def condense_class(self, rows: Tensor, m: int, generator: torch.Generator) -> ClassKeys:  # noqa: ARG002
        """The mean `m` times, and the `m` items nearest to it."""
        mean = unit_norm(rows.mean(dim=0, keepdim=True))
        nearest = torch.sort((rows @ mean.T).flatten(), descending=True, stable=True).indices
        return ClassKeys(mean.expand(m, -1), nearest[:m])
