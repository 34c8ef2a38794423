"""LP++: a linear probe that blends in each class's text by a factor of its own."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import cross_entropy

from clipfg.functional.similarity import cosine_logits
from clipfg.heads.few_shot import FewShotHead
from clipfg.heads.support import Support

_GROWTH = 1.15
"""How much longer than the previous step a step may be."""
_TEMPERATURES = (1.0, 3.0, 10.0, 20.0, 30.0, 50.0, 70.0, 100.0, 150.0, 200.0)


@dataclass(eq=False)
class LPPlusPlus(FewShotHead):
    """`logits_k = (x - m).w_k + alpha_k x.t_k`, minimising cross-entropy by bounded steps.

    There is no learning rate: the Hessian of cross-entropy is at most `(I - 11^T/c)/2` in the
    logits (Böhning 1992), which bounds it by `L_w = max eigenvalue(X^T X / n) / 2` in all `w` and
    by `L_k = mean_i (x_i.t_k)^2 / 2` in `alpha_k`. Steps of `1 / L`, in `w` and `alpha` in turn,
    never raise the loss. From `w = 0` the first makes class prototypes; `alpha` begins at the
    one factor at which texts alone make the support likeliest. The length of the path is what
    regularises.

    Beyond the paper: images are centred by the support's mean `m`, in effect a bias, since in
    CLIP's narrow cone the largest eigenvalue is that of the mean and would make steps tiny. And
    the bounds are those of the worst case, 100 times too high where there are many classes: a step
    is `s / L`, with `s` up to 1.15 times the last, as long as it lowers the loss by half of its
    length times the squared slope, as a step within its bound is sure to do. The path is that
    of short steps, and as long: it ends where all `s` add up to `steps`.

    `steps` is the length of the path, in steps of the bounds' length in `w` and `alpha` each.

    Attributes
    ----------
    weights_, bias_
        `[c, d]` and `[c]`, float32, texts blended in.
    alpha_
        Each class's factor `[c]`; zeros without texts.
    losses_
        Cross-entropy before each step taken.

    Source: Huang et al. 2024, arXiv:2404.02285, equations 3 to 9.
    """

    name: ClassVar[str] = "lp++"

    steps: int = 300

    def learn(self, support: Support) -> None:
        """Take the steps."""
        n, classes = len(support), support.classes
        centre = support.features.mean(dim=0)
        x = support.features - centre
        cosines = None if support.texts is None else support.features @ support.texts.T
        bound_w = torch.linalg.matrix_norm(x.double().T @ x.double() / n, 2).clamp_min(1e-6) / 2
        weights = x.new_zeros(classes, x.shape[1])
        alpha = x.new_full((classes,), _text_factor(cosines, support.labels))
        residuals, loss = _residuals(x @ weights.T, alpha, cosines, support.labels)
        self.losses_: list[float] = []
        left, length = float(self.steps), 1.0
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
        self.weights_ = weights + alpha[:, None] * support.texts_or_zeros
        self.bias_ = -weights @ centre

    def score(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
        """Linear scores."""
        return cosine_logits(x, self.weights_) + self.bias_


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
    """The one of `_TEMPERATURES` at which texts alone make the support likeliest; 0 without."""
    if cosines is None:
        return 0.0
    losses = [cross_entropy(t * cosines, labels) for t in _TEMPERATURES]
    return _TEMPERATURES[int(torch.stack(losses).argmin())]
