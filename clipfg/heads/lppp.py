"""LP++: a linear probe that blends in each class's text by a factor of its own."""

from typing import ClassVar, Self

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipfg.functional.similarity import cosine_logits
from clipfg.heads.base import Head
from clipfg.heads.support import Support

_GROWTH = 1.15
"""How much longer than the one before a step may be."""
_TEMPERATURES = (1.0, 3.0, 10.0, 20.0, 30.0, 50.0, 70.0, 100.0, 150.0, 200.0)


class LPPlusPlus(Head):
    """`logits_k = (x - m).w_k + alpha_k x.t_k`, minimising cross-entropy by bounded steps.

    No learning rate is asked for: the Hessian of cross-entropy is at most `(I - 11^T/c)/2` in
    the logits (Böhning 1992), which bounds it by `L_w = max eigenvalue(X^T X / n) / 2` in all `w`
    and by `L_k = mean_i (x_i.t_k)^2 / 2` in `alpha_k`. Steps of `1 / L`, `w` and `alpha` in turn,
    never raise the loss. From `w = 0` the first makes class prototypes; `alpha` begins from the
    one factor at which texts alone make the support likeliest. How far the steps go is what
    regularises.

    Beside the paper: images are centred by the support's mean `m`, a bias in effect, since in
    CLIP's narrow cone the largest eigenvalue is that of the mean and would make steps tiny. And
    the bounds are those of the worst case, 100 times too high where classes are many: a step is
    `s / L`, with `s` up to 1.15 times the last, as long as it lowers the loss by half of its length
    times the squared slope, which is what a step within its bound is sure to do. The path is that
    of short steps, and as far: it ends where all `s` add up to `steps`.

    Parameters
    ----------
    steps
        Of the bounds' length, of `w` and of `alpha` in turn, that are gone in all.

    Attributes
    ----------
    weights_, bias_
        `[c, d]` and `[c]`, float32, texts blended in.
    alpha_
        Each class's factor `[c]`; zeros without texts.
    losses_
        Cross-entropy before each step that was taken.

    Source: Huang et al. 2024, arXiv:2404.02285, equations 3 to 9.
    """

    name: ClassVar[str] = "lp++"
    weights_: Tensor
    bias_: Tensor
    alpha_: Tensor
    losses_: list[float]

    def __init__(self, steps: int = 300) -> None:
        self.steps = steps

    def fit(
        self,
        features: Float[Tensor, "n d"] | None = None,
        labels: Int[Tensor, " n"] | None = None,
        text_weights: Float[Tensor, "c d"] | None = None,
    ) -> Self:
        """Take the steps. Raises as `Support.of` does."""
        support = Support.of(self.name, features, labels, text_weights)
        n, classes = len(support), support.classes
        centre = support.features.mean(dim=0)
        x = support.features - centre
        cosines = None if support.texts is None else support.features @ support.texts.T
        bound_w = torch.linalg.matrix_norm(x.double().T @ x.double() / n, 2).clamp_min(1e-6) / 2
        weights = x.new_zeros(classes, x.shape[1])
        alpha = x.new_full((classes,), _text_factor(cosines, support.labels))
        residuals, loss = _residuals(x @ weights.T, alpha, cosines, support.labels)
        self.losses_, left, length = [], float(self.steps), 1.0
        while left > 0:
            length = min(length, left)
            slope = residuals.T @ x / n
            step = length / float(bound_w)
            moved, turned = weights - step * slope, alpha
            products = x @ moved.T
            found, after = _residuals(products, turned, cosines, support.labels)
            enough = loss - after >= step * float(slope.square().sum()) / 2
            if cosines is not None:
                slope_a = (found * cosines).mean(dim=0)
                step_a = 2 * length / cosines.square().mean(dim=0).clamp_min(1e-6)
                turned, before = alpha - step_a * slope_a, after
                found, after = _residuals(products, turned, cosines, support.labels)
                enough &= before - after >= float((step_a * slope_a.square()).sum()) / 2
            if length > 1 and not enough:
                length = max(length / 2, 1.0)
                continue
            self.losses_.append(loss)
            weights, alpha, residuals, loss = moved, turned, found, after
            left -= length
            length *= _GROWTH
        self.alpha_ = alpha
        self.bias_ = -weights @ centre
        self.weights_ = weights
        if support.texts is not None:
            self.weights_ = weights + alpha[:, None] * support.texts
        return self

    def logits(self, features: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
        """Linear scores. Raises `UsageError` before `fit`, `DataError` for another width."""
        self.check_fitted()
        return cosine_logits(features.float(), self.weights_) + self.bias_


def _residuals(
    products: Tensor, alpha: Tensor, cosines: Tensor | None, labels: Tensor
) -> tuple[Tensor, float]:
    """Probabilities less the truth `[n, c]`, and cross-entropy."""
    logits = products if cosines is None else products + alpha * cosines
    shares = logits.log_softmax(dim=1)
    own = labels[:, None]
    loss = -float(shares.gather(1, own).double().mean())
    shares = shares.exp_()
    return shares.scatter_add_(1, own, -torch.ones_like(own, dtype=shares.dtype)), loss


def _text_factor(cosines: Tensor | None, labels: Tensor) -> float:
    """Of `_TEMPERATURES`, that at which texts alone make the support likeliest; 0 without texts."""
    if cosines is None:
        return 0.0
    losses = [torch.nn.functional.cross_entropy(t * cosines, labels) for t in _TEMPERATURES]
    return _TEMPERATURES[int(torch.stack(losses).argmin())]
