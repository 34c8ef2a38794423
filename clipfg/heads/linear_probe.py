"""Linear probe: logistic regression on features, with the penalty chosen on the support."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from clipfg.functional.logistic import Basis
from clipfg.functional.similarity import cosine_logits
from clipfg.heads.support import Support, accuracy
from clipfg.heads.text_floor import TextFloor

COSTS = (1.0, 10.0, 31.6, 100.0, 316.0, 1000.0)
ONE_SHOT = 10.0
_FOLDS = 3
_SETTLED = 5
"""Steps after which costs rank as they will in the end, long before the weights have settled; each
cost begins from the solution of the one before."""
_LARGE = 1e9  # n c d above which one fold has to do


@dataclass(eq=False)
class LinearProbe(TextFloor):
    """`logits = x.w_k + b_k`, minimising `C sum_i -log p(y_i | x_i) + |W|^2 / 2`.

    Texts are ignored unless they alone are better (`TextFloor`); `cross-modal-linear-probe` learns
    from them.

    Parameters
    ----------
    cost
        `C`, the inverse of the penalty. None chooses among 1 to 1,000 by accuracy on up to three
        seeded folds of the support (the smallest of equally good ones), and takes 10 with one
        shot.
    iterations
        The largest number of L-BFGS steps for each `C`.

    Attributes
    ----------
    weights_, bias_
        `[c, d]` and `[c]`, float32.

    Source: Radford et al. 2021, arXiv:2103.00020, section 3.2 and appendix A.3.
    """

    name: ClassVar[str] = "linear-probe"

    cost: float | None = None
    iterations: int = 40
    seed: int = 0

    def learn(self, support: Support) -> None:
        """Choose `C` and fit."""
        basis, labels = _problem(support, self.needs_texts)
        self.cost_ = self._choose(support, basis, labels) if self.cost is None else self.cost
        linear = basis.path(labels, support.classes, (self.cost_,), self.iterations)[0]
        self.weights_, self.bias_ = linear.weights, linear.bias

    def _choose(self, support: Support, basis: Basis, labels: Tensor) -> float:
        large = len(support) * support.classes * support.features.shape[1] > _LARGE
        folds = support.folds(self.seed, most=5 if large else _FOLDS)
        count = int(folds.max()) + 1
        if not count:
            return ONE_SHOT
        right = torch.zeros(len(COSTS), dtype=torch.float64)
        for fold in range(1 if large else count):
            held = folds == fold
            kept = _kept(held, len(labels))
            path = basis.part(kept).path(labels[kept], support.classes, COSTS, _SETTLED)
            x, truth = support.features[held], support.labels[held]
            right += torch.tensor([accuracy(linear(x), truth) * len(x) for linear in path])
        return COSTS[int(right.argmax())]

    def score(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
        """Linear scores."""
        return cosine_logits(x, self.weights_) + self.bias_


def _problem(support: Support, texts: bool) -> tuple[Basis, Tensor]:
    """The images, and after them, on request, the texts as one more shot of each class."""
    x, labels = support.features, support.labels
    if texts and support.texts is not None:
        x = torch.cat([x, support.texts])
        labels = torch.cat([labels, torch.arange(support.classes, device=labels.device)])
    return Basis.of(x), labels


def _kept(held: Tensor, count: int) -> Tensor:
    """What a fold trains on: all images that it does not hold out, and all texts."""
    return torch.cat([~held, held.new_ones(count - len(held))])
