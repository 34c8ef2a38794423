"""Linear probe: logistic regression on features, its penalty chosen on the support."""

from typing import ClassVar, Self

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipfg.functional.logistic import Linear, logistic_path
from clipfg.functional.similarity import cosine_logits
from clipfg.heads.base import Head
from clipfg.heads.support import Support, accuracy

COSTS = (1.0, 10.0, 31.6, 100.0, 316.0, 1000.0)
ONE_SHOT = 10.0
_FOLDS = 3
_SETTLED = 15
"""Steps after which accuracy changes little, long before the weights have settled."""
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

    def __init__(self, cost: float | None = None, iterations: int = 100, seed: int = 0) -> None:
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
        self.cost_ = self._choose(support, texts) if self.cost is None else self.cost
        linear = _path(support, texts, (self.cost_,), self.iterations)[0]
        self.weights_, self.bias_ = linear.weights, linear.bias
        return self

    def _choose(self, support: Support, texts: bool) -> float:
        large = len(support) * support.classes * support.features.shape[1] > _LARGE
        splits = support.splits(self.seed, most=5 if large else _FOLDS)
        if not splits:
            return ONE_SHOT
        right = dict.fromkeys(COSTS, 0.0)
        for train, held in splits[: 1 if large else None]:
            path = _path(train, texts, COSTS, _SETTLED)
            for cost, linear in zip(COSTS, path, strict=True):
                hits = accuracy(linear(support.features[held]), support.labels[held])
                right[cost] += hits * len(held)
        return max(COSTS, key=lambda cost: right[cost])

    def held_out(self, support: Support, rows: Int[Tensor, " m"]) -> Float[Tensor, "m c"]:
        """Logits of pictures of the support by fits to the other folds, at the `C` chosen."""
        folds = support.folds(self.seed)
        found = support.features.new_zeros(len(rows), support.classes)
        for fold in range(int(folds.max()) + 1):
            own = folds[rows] == fold
            linear = _path(support.rows(folds != fold), False, (self.cost_,), _SETTLED)[0]
            found[own] = linear(support.features[rows[own]])
        return found

    def logits(self, features: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
        """Linear scores. Raises `UsageError` before `fit`, `DataError` for another width."""
        self.check_fitted()
        return cosine_logits(features.float(), self.weights_) + self.bias_


def _path(support: Support, texts: bool, costs: tuple[float, ...], iterations: int) -> list[Linear]:
    x, labels = support.features, support.labels
    if texts and support.texts is not None:
        x = torch.cat([x, support.texts])
        labels = torch.cat([labels, torch.arange(support.classes, device=labels.device)])
    return logistic_path(x, labels, support.classes, costs, iterations)
