"""How patch prototypes learn: on two views of each image, first without labels, then with them."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import batch_norm, normalize

from clipfg.functional import prototypes
from clipfg.functional.kmeans import kmeans
from clipfg.heads.base import FeatureSets

SEEN = 8192
"""Patches at most that prototypes begin as the clusters of."""
GAIN, WEIGHT, POWER = 3.0, 0.3, 2.0
"""Where training begins: the scale of normalised scores, all class weights, and `m`."""
CLASS_RATE = 0.05
"""The learning rate of class weights, as in PIP-Net."""
FAINT = 0.05
"""Adam's epsilon for class weights times the number of classes, by which their gradients shrink. A
fainter gradient moves a weight less, so that what every step takes away wins; with the usual 1e-8 a
weight that hardly matters is kept by full steps."""
EPS = 1e-5


class PrototypeTraining:
    """The parameters of a head while they learn.

    `count` is how many prototypes there are to be, `learning_rate` that of their filters in
    pretraining.
    """

    def __init__(
        self,
        features: FeatureSets,
        labels: Int[Tensor, " n"],
        classes: int,
        count: int,
        batch_size: int,
        learning_rate: float,
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
        self._shift = torch.zeros(count).requires_grad_()
        noise = torch.randn(classes, count, generator=self._random)
        self.weights = (WEIGHT * (1 + 0.1 * noise)).clamp_min(0).requires_grad_()
        self.power = torch.tensor(POWER).requires_grad_()

    @property
    def _shared(self) -> list[Tensor]:
        return [self._filters, self._gain, self._shift]

    def pretrain(self, steps: int) -> None:
        """`lambda align + 5 tanh + 0.05 KoLeo`, with lambda from 0 to 1; no label counts."""
        optimiser = torch.optim.Adam(self._shared, lr=self._rate)
        for step in range(steps):
            seen = self._look(self._draw())
            loss = (step / steps) * seen.align
            loss = loss + 5 * seen.mean(prototypes.tanh_loss)
            loss = loss + 0.05 * seen.mean(prototypes.koleo_loss)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

    def train(self, steps: int, sparsity: float) -> None:
        """`2 NLL + 0.01 align + 0.01 tanh`; every step takes `sparsity` from all weights."""
        faint = FAINT / len(self.weights)
        optimiser = torch.optim.Adam(
            [
                {"params": self._shared, "lr": self._rate / 10},
                {"params": [self.weights, self.power], "lr": CLASS_RATE, "eps": faint},
            ]
        )
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(steps, 1))
        for _ in range(steps):
            items = self._draw()
            seen = self._look(items)
            nll = partial(self._class_loss, self._labels[items])
            loss = 2 * seen.mean(nll) + 0.01 * (seen.align + seen.mean(prototypes.tanh_loss))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            with torch.no_grad():
                self.weights.sub_(sparsity).clamp_(min=0)
                self.power.clamp_(min=1)

    def _class_loss(self, labels: Tensor, presence: Tensor) -> Tensor:
        return prototypes.class_loss(presence @ self.weights.T, labels, self.power)

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
        both = self._scaled(torch.cat([rows, other[shown].to(rows)])) @ self._filters.T
        scores = batch_norm(both, None, None, self._gain, self._shift, training=True, eps=EPS)
        first, second = prototypes.shares(scores).split([len(rows), int(shown.sum())])
        return _Seen(
            prototypes.align_loss(first[shown], second),
            prototypes.presences(first, owners, len(batch)),
            prototypes.presences(second, owners[shown], len(batch)),
        )

    def folded(self) -> tuple[Float[Tensor, "k d"], Float[Tensor, " k"]]:
        """`F` and the normalisation by all patches of the support as one linear map."""
        with torch.no_grad():
            scores = self._scaled(self._features.rows.float()) @ self._filters.T
            gain = self._gain * (scores.var(dim=0, correction=0) + EPS).rsqrt()
            filters = gain[:, None] * self._filters / self._spread
            return filters, self._shift - gain * scores.mean(dim=0) - filters @ self._centre


class _Seen(NamedTuple):
    """Two views of some images: how they disagree, and what is present in each."""

    align: Float[Tensor, ""]
    first: Float[Tensor, "b k"]
    second: Float[Tensor, "b k"]

    def mean(self, loss: Callable[[Tensor], Tensor]) -> Tensor:
        """The mean of a loss over the two."""
        return (loss(self.first) + loss(self.second)) / 2
