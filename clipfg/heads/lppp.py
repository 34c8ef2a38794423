"""LP++: a linear probe that blends in each class's text by a factor of its own."""

from typing import ClassVar, Self

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import one_hot

from clipfg.functional.similarity import cosine_logits
from clipfg.heads.base import Head
from clipfg.heads.support import Support

_TEMPERATURES = (1.0, 3.0, 10.0, 20.0, 30.0, 50.0, 70.0, 100.0, 150.0, 200.0)


class LPPlusPlus(Head):
    """`logits_k = (x - m).w_k + alpha_k x.t_k`, minimising cross-entropy by bounded steps.

    No learning rate is asked for: the Hessian of cross-entropy is at most `(I - 11^T/c)/2` in
    the logits (Böhning 1992), which bounds it by `L_w = max eigenvalue(X^T X / n) / 2` in all `w`
    and by `L_k = mean_i (x_i.t_k)^2 / 2` in `alpha_k`. Steps of `1 / L`, `w` and `alpha` in turn,
    never raise the loss. From `w = 0` the first makes class prototypes; `alpha` begins from the
    one factor at which texts alone make the support likeliest. The number of steps is what
    regularises.

    Beside the paper: pictures are centred by the support's mean `m`, a bias in effect, since in
    CLIP's narrow cone the largest eigenvalue is that of the mean and would make steps tiny.

    Parameters
    ----------
    steps
        Of `w` and of `alpha`, in turn.

    Attributes
    ----------
    weights_, bias_
        `[c, d]` and `[c]`, float32, texts blended in.
    alpha_
        Each class's factor `[c]`; zeros without texts.
    losses_
        Cross-entropy before each step.

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
        cosines = x.new_zeros(n, classes)
        if support.texts is not None:
            cosines = support.features @ support.texts.T
        step_w = 2 / torch.linalg.matrix_norm(x.double().T @ x.double() / n, 2).clamp_min(1e-6)
        step_a = 2 / cosines.square().mean(dim=0).clamp_min(1e-6)
        target = one_hot(support.labels, classes).float()
        weights = x.new_zeros(classes, x.shape[1])
        alpha = x.new_full((classes,), _text_factor(cosines, support.labels))
        losses = []
        for _ in range(self.steps):
            shares = (x @ weights.T + alpha * cosines).log_softmax(dim=1)
            losses.append(-(shares * target).sum(dim=1).mean())
            weights = weights + float(step_w) * (target - shares.exp()).T @ x / n
            if support.texts is not None:
                shares = (x @ weights.T + alpha * cosines).softmax(dim=1)
                alpha = alpha + step_a * ((target - shares) * cosines).mean(dim=0)
        self.losses_ = [float(loss) for loss in losses]
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


def _text_factor(cosines: Tensor, labels: Tensor) -> float:
    """Of `_TEMPERATURES`, that at which texts alone make the support likeliest; 0 without texts."""
    if not bool(cosines.any()):
        return 0.0
    losses = [torch.nn.functional.cross_entropy(t * cosines, labels) for t in _TEMPERATURES]
    return _TEMPERATURES[int(torch.stack(losses).argmin())]
