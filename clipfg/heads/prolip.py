"""ProLIP: the last projection is fine-tuned and held close to where it began."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from clipfg.errors import DataError
from clipfg.heads.few_shot import FewShotHead
from clipfg.heads.support import Support


@dataclass(eq=False)
class ProLIP(FewShotHead):
    """`logits = scale * cos(x P, t_k)`, minimising cross-entropy `+ lambda |P - I|^2`.

    The paper tunes the encoder's own projection. On features that are embedded once, `P` is a
    square matrix after it that begins as the identity: the same map where the encoder's has full
    rank. `lambda = 1/N` at `N` shots, as in the paper.

    Without texts, `t_k = m_k P` with `m_k` the class mean; in training an image's own class is
    represented by the mean of its other images, without those of its group. With neither texts nor
    a second image of any class there is nothing to learn from, and `P` stays the identity.

    Parameters
    ----------
    scale
        The factor on cosines.
    penalty
        `lambda`; None for 1/N.
    steps, batch_size, learning_rate
        Of Adam; the rate falls to 0 along a cosine.
    seed
        Random seed of the batches.

    Attributes
    ----------
    projection_, weights_
        `P` of shape `[d, d]` and the unit-norm class weights `[c, d]`, projected.

    Source: Fahes et al. 2024, arXiv:2410.05270, equations 5 and 6.
    """

    name: ClassVar[str] = "prolip"

    scale: float = 100.0
    penalty: float | None = None
    steps: int = 100
    batch_size: int = 512
    learning_rate: float = 1e-3
    seed: int = 0

    def learn(self, support: Support) -> None:
        """Tune the projection."""
        self.projection_ = torch.eye(support.features.shape[1], device=support.features.device)
        if support.texts is not None or bool(support.replaceable.any()):
            self.projection_ = self._tune(support, self.projection_)
        self.weights_ = _targets(support, self.projection_)

    def _tune(self, support: Support, identity: Tensor) -> Tensor:
        projection = identity.clone().requires_grad_()
        optimiser = torch.optim.Adam([projection], lr=self.learning_rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(self.steps, 1))
        shots = len(support) / support.classes
        penalty = 1 / shots if self.penalty is None else self.penalty
        generator = torch.Generator().manual_seed(self.seed)
        for _ in range(self.steps):
            rows = torch.randperm(len(support), generator=generator)[: self.batch_size]
            logits, labels = self._training_logits(support, projection, rows)
            away = (projection - identity).square().sum()
            optimiser.zero_grad()
            (cross_entropy(logits, labels) + penalty * away).backward()
            optimiser.step()
            schedule.step()
        return projection.detach()

    def _training_logits(
        self, support: Support, projection: Tensor, rows: Tensor
    ) -> tuple[Tensor, Tensor]:
        rows = rows.to(support.labels.device)
        x, labels = support.features[rows], support.labels[rows]
        turned = normalize(x @ projection, dim=1)
        logits = turned @ _targets(support, projection).T
        if support.texts is None:
            others = normalize(support.means_of_others[rows] @ projection, dim=1)
            own = (turned * others).sum(dim=1, keepdim=True)
            logits = logits.scatter(1, labels[:, None], own)
        return self.scale * logits, labels

    def score(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
        """Scaled cosines."""
        width = len(self.projection_)
        if x.shape[1] != width:
            raise DataError(f"Expected features of width {width}, got width {x.shape[1]}.")
        return self.scale * normalize(x @ self.projection_, dim=1) @ self.weights_.T


def _targets(support: Support, projection: Tensor) -> Tensor:
    if support.texts is not None:
        return support.texts
    return normalize(support.means @ projection, dim=1)
