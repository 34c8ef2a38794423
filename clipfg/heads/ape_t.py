"""APE-T: APE whose classes learn a residual, shared by their text and their images."""

from typing import ClassVar, Self

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from clipfg.heads.ape import APE
from clipfg.heads.support import Support
from clipfg.heads.tip_adapter import cache, leave_out

_FLOOR = 1e-12
"""The least sum of affinities of which a logarithm is taken."""


class APET(APE):
    """APE with `t_k + r_k` for texts, `x_i + r_y` for keys, and trained strengths of keys.

    `r` of shape `[c, q]` lives on the refined channels and begins at 0; texts and keys keep to unit
    norm. It and the strengths minimise cross-entropy on the support, where each image is left out
    of the cache that answers for it, unless its class has no other. (The paper has a new view of
    the image in every epoch, and takes the best epoch; here the last step is kept.)

    Parameters
    ----------
    alpha, beta, gamma, channels, scale
        As of `ape`; chosen before training.
    learning_rate
        Of AdamW at the start; it falls to 0 along a cosine.
    epochs, batch_size, most_steps
        20 and 256, and never more steps than `most_steps`.
    seed
        Of the order of batches.

    Attributes
    ----------
    keys_, texts_, strengths_
        With what was learnt; else as of `ape`.

    Source: Zhu et al. 2023, arXiv:2304.01195, section 3.3.
    """

    name: ClassVar[str] = "ape-t"

    def __init__(
        self,
        alpha: float | None = None,
        beta: float | None = None,
        gamma: float | None = None,
        channels: float = 0.75,
        scale: float = 100.0,
        learning_rate: float = 1e-3,
        epochs: int = 20,
        batch_size: int = 256,
        most_steps: int = 150,
        seed: int = 0,
    ) -> None:
        super().__init__(alpha, beta, gamma, channels, scale)
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
        """Choose as APE does, then train. Raises as `Support.of` does."""
        super().fit(features, labels, text_weights)
        self._train(Support.of(self.name, features, labels, text_weights))
        return self

    def _train(self, support: Support) -> None:
        keys, texts, strengths = self.keys_, self.texts_, self.strengths_
        residuals = keys.new_zeros(support.classes, keys.shape[1]).requires_grad_()
        factors = torch.ones_like(strengths, requires_grad=True)
        optimiser = torch.optim.AdamW([residuals, factors], lr=self.learning_rate, eps=1e-4)
        each = -(-len(support) // self.batch_size)
        steps = min(self.epochs * each, self.most_steps)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(steps, 1))
        generator = torch.Generator().manual_seed(self.seed)
        for step in range(steps):
            if step % each == 0:
                order = torch.randperm(len(support), generator=generator).to(keys.device)
            start = (step % each) * self.batch_size
            rows = order[start : start + self.batch_size]
            new_keys = normalize(keys + residuals[support.labels], dim=1)
            similar = leave_out(keys[rows] @ new_keys.T, rows, support.counts, support.labels)
            named = self.scale * support.features[rows] @ self._moved(texts, residuals).T
            sums = cache(similar, support.labels, self.beta_, named, strengths * factors)
            # Without texts the decision is the same at any scale, its gradient is not.
            logits = named + sums if support.texts is not None else sums.clamp_min(_FLOOR).log()
            optimiser.zero_grad()
            cross_entropy(logits, support.labels[rows]).backward()
            optimiser.step()
            schedule.step()
        with torch.no_grad():
            if steps:
                self.keys_ = normalize(keys + residuals[support.labels], dim=1)
                self.strengths_ = strengths * factors
                if support.texts is not None:
                    self.texts_ = self._moved(texts, residuals)

    def _moved(self, texts: Tensor, residuals: Tensor) -> Tensor:
        if not bool(texts.any()):  # there are none
            return texts
        return normalize(texts.index_add(1, self.channels_, residuals), dim=1)
