"""What `benchmarks.confidence` compares clipfg's calibration and prediction sets with."""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from torch import Tensor
from torch.nn.functional import cross_entropy

from clipfg.functional.scaling import fit_temperature


def aps_scores(
    probabilities: Tensor, uniform: Tensor, penalty: float = 0.0, free: int = 0
) -> Tensor:
    """The probability of all classes up to this one, the most likely first (APS), `[n, c]`.

    With `penalty`, each rank beyond the first `free` adds it (RAPS), which keeps sets small.
    `uniform` draws from 0 to 1, one for each item, randomise the last class's part, which makes
    coverage exact.

    Source: Romano, Sesia and Candes 2020, arXiv:2006.02544; Angelopoulos et al. 2021,
    arXiv:2009.14193, equation 4 (RAPS).
    """
    p = probabilities.double()
    ordered, order = p.sort(dim=1, descending=True, stable=True)
    ranks = torch.arange(1, p.shape[1] + 1)
    scores = ordered.cumsum(dim=1) - ordered + uniform.double()[:, None] * ordered
    scores = scores + penalty * (ranks - free).clamp_min(0)
    return torch.empty_like(scores).scatter_(1, order, scores)


def fit_vector(logits: Tensor, labels: Tensor, penalty: float) -> tuple[Tensor, Tensor]:
    """A factor and a shift for each class, `w * z + b`, that minimise the mean NLL.

    `penalty * (|w / w_0 - 1|^2 + |b|^2)` ties them to temperature scaling: two numbers per class
    are many where a class has few images.

    Source: Guo et al. 2017, arXiv:1706.04599, section 4.2; the penalty is this project's.
    """
    first = fit_temperature(logits, labels)
    z = first * logits.double()
    factors = torch.ones(z.shape[1], dtype=torch.double, requires_grad=True)
    shifts = torch.zeros(z.shape[1], dtype=torch.double, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [factors, shifts],
        max_iter=500,
        tolerance_grad=1e-8,
        tolerance_change=1e-13,
        line_search_fn="strong_wolfe",
    )

    def loss() -> Tensor:
        optimiser.zero_grad()
        tie = (factors - 1).square().sum() + shifts.square().sum()
        value = cross_entropy(z * factors + shifts, labels.long()) + penalty * tie
        value.backward()
        return value

    optimiser.step(loss)
    return (first * factors.detach()).float(), shifts.detach().float()


def density_ratios(held: Tensor, pool: Tensor, penalty: float) -> tuple[Tensor, Tensor]:
    """How much likelier the pool is than what was held out, at the rows of each: `p / (1 - p)` of a
    logistic regression that tells them apart, each row judged by folds without it.

    Source: Tibshirani et al. 2019, arXiv:1904.06019, section 2.3.
    """
    x = np.concatenate([held.numpy(), pool.numpy()])
    x = (x - x.mean(axis=0)) / (x.std(axis=0) + 1e-9)
    came = np.repeat([0, 1], [len(held), len(pool)])
    model = LogisticRegression(C=1 / penalty, max_iter=500)
    shares = cross_val_predict(model, x, came, cv=5, method="predict_proba")[:, 1]
    ratios = torch.from_numpy(shares / (1 - shares))
    return ratios[: len(held)], ratios[len(held) :]


def weighted_quantiles(
    scores: Tensor, weights: Tensor, own: Tensor, level: float
) -> NDArray[np.float64]:
    """The weighted quantile for each item of weight `own`; infinity where its own is too large.

    Source: Tibshirani et al. 2019, arXiv:1904.06019, corollary 1.
    """
    order = scores.argsort()
    below = weights[order].cumsum(dim=0)
    places = torch.searchsorted(below, level * (below[-1] + own)).numpy()
    values = np.append(scores[order].numpy(), np.inf)
    return values[places.clip(max=len(scores))]


def alike(x: Tensor, labels: Tensor, cosine: float) -> Tensor:
    """Numbers of groups: images of a class whose cosine is at least so much, and chains of them."""
    pairs = ((x @ x.T >= cosine) & (labels[:, None] == labels)).nonzero().numpy()
    graph = coo_matrix((np.ones(len(pairs)), pairs.T), shape=(len(x), len(x)))
    return torch.from_numpy(connected_components(graph, directed=False)[1]).long()
