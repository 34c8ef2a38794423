"""Kernel ridge regression on the directions of `whitened-mean`: classes need not be round."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import one_hot

from clipfg.heads.support import Support
from clipfg.heads.text_weighting import share_of_images
from clipfg.heads.whitened_mean import WhitenedMean


@dataclass(eq=False)
class KernelRidge(WhitenedMean):
    """`logits = scale * (cos(x, text) + alpha sum_i k(z, z_i) a_i)`; texts where given.

    `z` are images as `whitened-mean` projects them, of unit norm, and
    `k(z, z') = exp(-gamma |z - z'|^2)`. `a = (K + penalty I)^-1 (Y - 1/c)` for the one-hot labels
    `Y`: the ridge regression on classes, one linear solve. It takes `n^2` numbers for `n` images.

    Parameters are those of `whitened-mean`, `gamma` and `penalty`.

    Attributes
    ----------
    keys_, dual_
        `z_i` `[n, d]` and `a_i` `[n, c]`; the others are those of `whitened-mean`.

    Source: Saunders et al. 1998, "Ridge regression learning algorithm in dual variables".
    """

    name: ClassVar[str] = "kernel-ridge"

    gamma: float = 2.0
    penalty: float = 0.1

    def learn(self, support: Support) -> None:
        """Project as `whitened-mean` does, solve, and weigh the images against the texts."""
        self.learn_projection(support)
        self.keys_ = self.turn(support.features)
        kernel = self._kernel(self.keys_)
        kernel.diagonal().add_(self.penalty)
        targets = one_hot(support.labels, support.classes).to(kernel.dtype) - 1 / support.classes
        self.dual_ = torch.linalg.solve(kernel, targets)
        self.alpha_ = 1.0 if self.alpha is None else self.alpha
        if self.alpha is None and support.texts is not None:
            rows = support.validation_rows(self.seed)
            logits = self.held_out(support, rows) if len(rows) else self.images(support.means)
            self.alpha_ = self.scale * share_of_images(support, logits, rows)

    def held_out(self, support: Support, rows: Int[Tensor, " m"]) -> Float[Tensor, "m c"]:
        """By heads fitted again without each fold."""
        found = self.dual_.new_zeros(len(rows), support.classes)
        for train, held in support.splits(self.seed):
            own = torch.isin(rows, held)
            refitted = self.refit(train.features, train.labels, train.texts)
            assert isinstance(refitted, KernelRidge)
            found[own] = refitted.images(support.features[rows[own]])
        return found

    def images(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
        """What the images say, without the texts' own term."""
        return self.scale * self._kernel(self.turn(x)) @ self.dual_

    def _kernel(self, z: Tensor) -> Tensor:
        return torch.exp(2 * self.gamma * (z @ self.keys_.T - 1))
