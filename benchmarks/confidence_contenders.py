"""What `benchmarks.confidence` compares clipfg's calibration and prediction sets with."""

import torch
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
