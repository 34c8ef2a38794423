"""Class mean: one key a class, the mean of its items, whatever the budget."""

from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipfg.coresets.base import Coreset, CoresetKeys, rows_by_class
from clipfg.functional.similarity import unit_norm


class ClassMeanCoreset(Coreset):
    """The unit-norm mean of each class, shown as the real items nearest to it.

    A class has one mean: a budget of `m` repeats it `m` times, with the `m` nearest items as
    exemplars, nearest first. Accuracy by the nearest key is that of one key a class at every
    budget; a larger budget gives demonstrations more images to show. (Means of clusters of a
    class are `k-means`.) It is the baseline of every other strategy.

    Source: Snell et al. 2017, arXiv:1703.05175, with cosines in place of distances.
    """

    name: ClassVar[str] = "class-mean"

    def _condense(
        self, features: Float[Tensor, "n d"], labels: Int[Tensor, " n"], per_class: int
    ) -> CoresetKeys:
        keys, exemplars = [], []
        for rows in rows_by_class(labels):
            own = features[rows]
            m = min(per_class, len(own))
            mean = unit_norm(own.mean(dim=0, keepdim=True))
            nearest = torch.sort((own @ mean.T).flatten(), descending=True, stable=True).indices
            keys.append(mean.expand(m, -1))
            exemplars.append(rows[nearest[:m]])
        chosen = torch.cat(exemplars)
        return CoresetKeys(torch.cat(keys), labels[chosen], chosen)
