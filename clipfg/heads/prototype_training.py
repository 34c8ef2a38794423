"""How patch prototypes learn: on two views of each image, first without labels, then with them."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import batch_norm, cross_entropy, normalize

from clipfg.functional import prototypes
from clipfg.functional.kmeans import kmeans
from clipfg.heads.base import FeatureSets

SEEN = 8192
"""Patches at most that prototypes begin as the clusters of."""
GAIN = 3.0
"""Where training begins: the scale of normalised scores."""
EPS = 1e-5


class PrototypeTraining:
    """The parameters of a head while they learn; `count` is how many prototypes there are to be."""

    def __init__(
        self,
        features: FeatureSets,
        labels: Int[Tensor, " n"],
        count: int,
        batch_size: int,
        learning_rate: float,
        threshold: float,
        seed: int,
    ) -> None:
        self._features, self._labels, self._rate = features, labels, learning_rate
        self._random = torch.Generator().manual_seed(seed)
        self.batch_size = min(batch_size, len(features))
        rows = features.rows.float()
        self._centre, self._spread = rows.mean(dim=0), rows.std(correction=0).clamp_min(1e-6)
        count = min(count, len(rows))
        seen = rows[torch.randperm(len(rows), generator=self._random)[: max(SEEN, 4 * count)]]
        centres = kmeans(self._scaled(seen), count, self._random, iterations=10).centres
        self._filters = normalize(centres, dim=1).requires_grad_()
        self._gain = torch.full((count,), GAIN).requires_grad_()
        self._shift = torch.full((count,), -threshold * GAIN).requires_grad_()

    @property
    def _shared(self) -> list[Tensor]:
        return [self._filters, self._gain, self._shift]

    def pretrain(self, steps: int) -> None:
        """`lambda align + 5 tanh + 0.05 KoLeo`, with lambda from 0 to 1; no label counts."""
        optimiser = torch.optim.Adam(self._shared, lr=self._rate)
        for step in range(steps):
            seen = self._look(self._draw())
            loss = (step / steps) * seen.align
            loss = loss + 5 * _mean(prototypes.tanh_loss, seen.largest)
            loss = loss + 0.05 * _mean(prototypes.koleo_loss, seen.largest)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

    def train(self, weights: Float[Tensor, "c k"], steps: int) -> None:
        """`2 NLL + 0.01 align + 0.01 tanh`. Class weights begin as given; those of 0 stay so."""
        kept, weights = weights > 0, weights.clone().requires_grad_()
        optimiser = torch.optim.Adam([*self._shared, weights], lr=self._rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(steps, 1))
        for _ in range(steps):
            items = self._draw()
            seen, labels = self._look(items), self._labels[items]
            nll = sum(cross_entropy(each @ weights.T, labels) for each in seen.presence)
            # Of two views the sum is twice the mean.
            loss = nll + 0.01 * (seen.align + _mean(prototypes.tanh_loss, seen.largest))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            with torch.no_grad():
                weights.clamp_(min=0).mul_(kept)

    def _draw(self) -> Int[Tensor, " b"]:
        return torch.randperm(len(self._features), generator=self._random)[: self.batch_size]

    def _scaled(self, rows: Tensor) -> Tensor:
        return (rows.float() - self._centre) / self._spread

    def _look(self, items: Int[Tensor, " b"]) -> "_Seen":
        """Both views of some images, normalised together."""
        batch = self._features[items]
        rows, owners = batch.rows, batch.owners
        other, shown = rows, torch.ones(len(rows), dtype=torch.bool)
        if batch.views is not None:
            which = int(torch.randint(len(batch.views), (), generator=self._random))
            other = batch.views[which]
            shown = other.any(dim=1)
            other = other[shown].to(rows)
        both = self._scaled(torch.cat([rows, other])) @ self._filters.T
        scores = batch_norm(both, None, None, self._gain, self._shift, training=True, eps=EPS)
        views, whose = scores.split([len(rows), len(other)]), (owners, owners[shown])
        shares = [prototypes.shares(view) for view in views]
        count = (len(batch), len(batch))
        return _Seen(
            prototypes.align_loss(shares[0][shown], shares[1]),
            list(map(prototypes.largest, shares, whose, count)),
            list(map(prototypes.presences, views, whose, count)),
        )

    def folded(self) -> tuple[Float[Tensor, "k d"], Float[Tensor, " k"]]:
        """`F` and the normalisation by all patches of the support as one linear map."""
        with torch.no_grad():
            scores = self._scaled(self._features.rows.float()) @ self._filters.T
            gain = self._gain * (scores.var(dim=0, correction=0) + EPS).rsqrt()
            filters = gain[:, None] * self._filters / self._spread
            return filters, self._shift - gain * scores.mean(dim=0) - filters @ self._centre


class _Seen(NamedTuple):
    """Two views of some images: how they disagree, and in each the largest share of prototypes in
    any patch and their presences.
    """

    align: Float[Tensor, ""]
    largest: list[Float[Tensor, "b k"]]
    presence: list[Float[Tensor, "b k"]]


def _mean(loss: Callable[[Tensor], Tensor], views: list[Tensor]) -> Tensor:
    """The mean of a loss over the two views."""
    return (loss(views[0]) + loss(views[1])) / 2
