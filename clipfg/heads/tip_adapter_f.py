"""Tip-Adapter-F: the cache's keys are trained."""

from typing import ClassVar, Self

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy

from clipfg.heads.support import Support
from clipfg.heads.tip_adapter import TipAdapter, cache, leave_out

_FLOOR = 1e-12
"""Added to sums of affinities before their logarithm."""


class TipAdapterF(TipAdapter):
    """Tip-Adapter whose keys begin as the support and minimise cross-entropy.

    On features that are embedded once an image would find itself among the keys, and nothing
    would be left to learn; the paper has a new view of it in every epoch. Here it is left out of
    the cache that answers for it, unless its class has no other. The last step is kept.

    Parameters
    ----------
    alpha, beta, scale
        As of `tip-adapter`; chosen before training.
    learning_rate
        Of AdamW at the start; it falls to 0 along a cosine. The paper's 0.001.
    epochs, batch_size, most_steps
        The paper's 20 and 256, and never more steps than `most_steps`.
    seed
        Of the order of batches.

    Attributes
    ----------
    keys_
        Trained keys `[n, d]`, not of unit norm; else as of `tip-adapter`.

    Source: Zhang et al. 2022, arXiv:2207.09519, section 3.3.
    """

    name: ClassVar[str] = "tip-adapter-f"

    def __init__(
        self,
        alpha: float | None = None,
        beta: float | None = None,
        scale: float = 100.0,
        learning_rate: float = 1e-3,
        epochs: int = 20,
        batch_size: int = 256,
        most_steps: int = 150,
        seed: int = 0,
    ) -> None:
        super().__init__(alpha, beta, scale)
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.batch_size = batch_size
        self.most_steps = most_steps
        self.seed = seed

    def fit(
        self,
        features: Float[Tensor, "n d"] | None = None,
        labels: Int[Tensor, " n"] | None = None,
        text_weights: Float[Tensor, "c d"] | None = None,
    ) -> Self:
        """Choose alpha and beta, then train the keys. Raises as `Support.of` does."""
        support = Support.of(self.name, features, labels, text_weights)
        self._keep(support)
        self.keys_ = self._train(support, text_weights is not None)
        return self

    def _train(self, support: Support, with_texts: bool) -> Tensor:
        keys = support.features.clone().requires_grad_()
        optimiser = torch.optim.AdamW([keys], lr=self.learning_rate, eps=1e-4)
        each = -(-len(support) // self.batch_size)
        steps = min(self.epochs * each, self.most_steps)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(steps, 1))
        generator = torch.Generator().manual_seed(self.seed)
        for step in range(steps):
            if step % each == 0:
                order = torch.randperm(len(support), generator=generator).to(keys.device)
            start = (step % each) * self.batch_size
            rows = order[start : start + self.batch_size]
            x = support.features[rows]
            similar = leave_out(x @ keys.T, rows, support.counts, support.labels)
            texts = self.scale * x @ self.texts_.T
            sums = cache(similar, support.labels, self.beta_, texts)
            # Without texts the decision is the same at any scale, its gradient is not.
            logits = texts + self.alpha_ * sums if with_texts else sums.add(_FLOOR).log()
            optimiser.zero_grad()
            cross_entropy(logits, support.labels[rows]).backward()
            optimiser.step()
            schedule.step()
        return keys.detach()
