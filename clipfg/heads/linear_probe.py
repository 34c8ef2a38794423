"""Linear probe: logistic regression on features, its penalty chosen on the support."""

from typing import ClassVar, Self

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipfg.functional.logistic import Basis
from clipfg.functional.similarity import cosine_logits
from clipfg.heads.base import Head
from clipfg.heads.support import Support, accuracy

COSTS = (1.0, 10.0, 31.6, 100.0, 316.0, 1000.0)
ONE_SHOT = 10.0
_FOLDS = 3
_SETTLED = 5
"""Steps after which costs rank as they will in the end, long before the weights have settled; each
cost begins from the one before."""
_COLD = 15
"""Steps after which accuracy changes little from a standing start."""
_LARGE = 1e9  # n c d from which one fold has to do


class LinearProbe(Head):
    """`logits = x.w_k + b_k`, minimising `C sum_i -log p(y_i | x_i) + |W|^2 / 2`.

    Texts teach it nothing; `cross-modal-linear-probe` learns from them.

    Parameters
    ----------
    cost
        `C`, the inverse of the penalty. None chooses among 1 to 1,000 by accuracy on up to three
        seeded folds of the support (the smallest of equals), and takes 10 with one shot.
    iterations
        At most so many steps of L-BFGS for each `C`.
    seed
        Of the folds.

    Attributes
    ----------
    weights_, bias_
        `[c, d]` and `[c]`, float32.
    cost_
        The one in use.

    Source: Radford et al. 2021, arXiv:2103.00020, section 3.2 and appendix A.3.
    """

    name: ClassVar[str] = "linear-probe"
    weights_: Tensor
    bias_: Tensor
    cost_: float

    def __init__(self, cost: float | None = None, iterations: int = 40, seed: int = 0) -> None:
        self.cost = cost
        self.iterations = iterations
        self.seed = seed

    def fit(
        self,
        features: Float[Tensor, "n d"] | None = None,
        labels: Int[Tensor, " n"] | None = None,
        text_weights: Float[Tensor, "c d"] | None = None,
    ) -> Self:
        """Choose `C` and fit. Raises as `Support.of` does."""
        return self._learn(Support.of(self.name, features, labels, text_weights), texts=False)

    def _learn(self, support: Support, texts: bool) -> Self:
        basis, labels = _problem(support, texts)
        self.cost_ = self._choose(support, basis, labels) if self.cost is None else self.cost
        linear = basis.path(labels, support.classes, (self.cost_,), self.iterations)[0]
        self.weights_, self.bias_ = linear.weights, linear.bias
        return self

    def _choose(self, support: Support, basis: Basis, labels: Tensor) -> float:
        large = len(support) * support.classes * support.features.shape[1] > _LARGE
        folds = support.folds(self.seed, most=5 if large else _FOLDS)
        count = int(folds.max()) + 1
        if not count:
            return ONE_SHOT
        right = torch.zeros(len(COSTS), dtype=torch.float64)
        for fold in range(1 if large else count):
            held = folds == fold
            given = _given(held, len(labels))
            path = basis.part(given).path(labels[given], support.classes, COSTS, _SETTLED)
            x, truth = support.features[held], support.labels[held]
            right += torch.tensor([accuracy(linear(x), truth) * len(x) for linear in path])
        return COSTS[int(right.argmax())]

    def held_out(self, support: Support, rows: Int[Tensor, " m"]) -> Float[Tensor, "m c"]:
        """Logits of images of the support by fits to the other folds, at the `C` chosen."""
        basis, labels = _problem(support, texts=False)
        folds = support.folds(self.seed)
        found = support.features.new_zeros(len(rows), support.classes)
        for fold in range(int(folds.max()) + 1):
            own = folds[rows] == fold
            given = _given(folds == fold, len(labels))
            part = basis.part(given)
            linear = part.path(labels[given], support.classes, (self.cost_,), _COLD)[0]
            found[own] = linear(support.features[rows[own]])
        return found

    def logits(self, features: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
        """Linear scores. Raises `UsageError` before `fit`, `DataError` for another width."""
        self.check_fitted()
        return cosine_logits(features.float(), self.weights_) + self.bias_


def _problem(support: Support, texts: bool) -> tuple[Basis, Tensor]:
    """The images, and after them the texts as one more shot of each class where asked for."""
    x, labels = support.features, support.labels
    if texts and support.texts is not None:
        x = torch.cat([x, support.texts])
        labels = torch.cat([labels, torch.arange(support.classes, device=labels.device)])
    return Basis.of(x), labels


def _given(held: Tensor, count: int) -> Tensor:
    """What a fold learns from: all images that it does not hold out, and all texts."""
    return torch.cat([~held, held.new_ones(count - len(held))])
