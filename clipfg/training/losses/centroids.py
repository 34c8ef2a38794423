"""Centroids that follow the sentences of a training run: the state of `cm_cgns`."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipfg.errors import DataError
from clipfg.functional.cosines import cosines, widened


@dataclass(frozen=True, eq=False)
class Centroids:
    """At least two directions, `rows`, in float32 at least; saved with a checkpoint as they are.

    Nothing changes in place: a step's centroids are those that `moved` returned after the last.
    No gradient passes through them. Features are best unit-norm: a longer one would weigh more.

    Source: Lan et al. 2025, CM-CGNS, arXiv:2506.11674; Deng et al. 2023, ClusterNS,
    arXiv:2305.09892.
    """

    rows: Float[Tensor, "k d"]

    @classmethod
    def start(cls, features: Float[Tensor, "n d"], k: int, first: int = 0) -> "Centroids":
        """A chain of k features: each the one least similar to the one before it, none twice.

        It begins with row `first`, which the paper draws at random. Raises `DataError` unless
        `2 <= k <= n`.
        """
        if not 2 <= k <= len(features):
            raise DataError(
                f"Expected from 2 to {len(features)} centroids, one at most for each feature, got"
                f" {k}; start them with more features."
            )
        similar = cosines(features, features).detach()
        chain = [first]
        while len(chain) < k:
            similar[:, chain[-1]] = torch.inf
            chain.append(int(similar[chain[-1]].argmin()))
        return cls(widened(features.detach())[chain])

    def nearest(self, features: Float[Tensor, "n d"]) -> Int[Tensor, "n 2"]:
        """The nearest and the second nearest centroid of each feature, by cosine."""
        return cosines(features, self.rows).detach().topk(2, dim=1).indices

    def moved(self, features: Float[Tensor, "n d"], momentum: float = 0.001) -> "Centroids":
        """Each centroid moved by the share `momentum` towards the mean of the features nearest it.

        Centroids that are nearest to none stay. The published code adds up the features where the
        paper averages them.
        """
        own, rows = self.nearest(features)[:, 0], widened(features.detach()).to(self.rows)
        sums = torch.zeros_like(self.rows).index_add_(0, own, rows)
        counts = own.bincount(minlength=len(sums))[:, None]
        means = torch.where(counts > 0, sums / counts.clamp(min=1), self.rows)
        return Centroids(self.rows.lerp(means, momentum))
