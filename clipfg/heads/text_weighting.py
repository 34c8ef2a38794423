"""How much images count beside texts: by the likelihood of held-out images."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy, softplus

from clipfg.heads.support import FOLDS, Support

ONE_SHOT = 1.5
"""The factor on logits of deviation 1 with one shot, where no held-out image can measure it."""
_PRIOR = 10.0
_MOST = 1000.0
"""The factor beside texts of factor 1 at which the texts no longer matter."""


def share_of_images(
    support: Support, logits: Float[Tensor, "m c"], rows: Int[Tensor, " m"]
) -> float:
    """The factor on a head's logits beside cosines with texts, from 0 to 1,000.

    `logits` are those of held-out images at `rows`; where there are none, those of class means
    `[c, c]`, whose spread is measured without each one's own.
    """
    tau, beta = factors(support, logits, rows)
    if not len(rows):
        beta /= spread_of_others(logits)
    return min(beta / max(tau, 1e-6), _MOST)


def spread(logits: Float[Tensor, "m c"]) -> float:
    """The deviation of logits within rows: the root of the mean variance."""
    return float(logits.var(dim=1, correction=0).mean().sqrt().clamp_min(1e-6))


def spread_of_others(logits: Float[Tensor, "c c"]) -> float:
    """The `spread` of class means' logits without each one's own, if two others remain."""
    classes = len(logits)
    if classes < 3:
        return spread(logits)
    others = ~torch.eye(classes, dtype=torch.bool, device=logits.device)
    return spread(logits[others].reshape(classes, -1))


def factors(
    support: Support, blend: Float[Tensor, "m c"], rows: Int[Tensor, " m"]
) -> tuple[float, float]:
    """On cosines with texts and on `blend`, the logits of held-out images at `rows`.

    They are those at which the images are likeliest, the second enlarged to suit a head that has
    learnt from all images: a class mean of `k` images errs by `1/k` of the spread within classes,
    and log-odds shrink by `1 + 1/k`. With one shot nothing is held out: the first is measured on
    the support itself, the second is `ONE_SHOT`. Without texts the first is 0.

    Source: factors as in Platt 1999.
    """
    x, labels = support.features, support.labels
    if not len(rows):
        tau = 0.0 if support.texts is None else _likeliest([x @ support.texts.T], labels)[0]
        return tau, ONE_SHOT
    shots, folds = len(support) / support.classes, min(FOLDS, int(support.counts.max()))
    growth = (1 + 1 / (shots * (1 - 1 / folds))) / (1 + 1 / shots)
    if support.texts is None:
        return 0.0, growth * _likeliest([blend], labels[rows])[0]
    tau, beta = _likeliest([x[rows] @ support.texts.T, blend], labels[rows])
    return tau, growth * beta


def _likeliest(parts: list[Tensor], labels: Tensor) -> list[float]:
    """Non-negative factors at which the sum of the parts' logits makes the labels likeliest.

    A normal prior of deviation `_PRIOR` on the factors of parts of deviation 1 keeps them finite
    where a handful of images is classified without a mistake.
    """
    spreads = [float(part.std(correction=0).clamp_min(1e-6)) for part in parts]
    raw = torch.zeros(len(parts), device=labels.device, requires_grad=True)
    optimiser = torch.optim.LBFGS([raw], max_iter=50, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        factors = softplus(raw)
        logits = sum(f * p / s for f, p, s in zip(factors, parts, spreads, strict=True))
        prior = (factors / _PRIOR).square().sum() / (2 * len(labels))
        value = cross_entropy(logits, labels) + prior
        value.backward()
        return value

    optimiser.step(loss)
    factors = softplus(raw.detach()).tolist()
    return [factor / spread for factor, spread in zip(factors, spreads, strict=True)]
