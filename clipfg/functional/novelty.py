"""Out-of-distribution scores: how likely it is that an image belongs to one of the known classes.

All scores are larger for known classes. `auroc` says how well a score tells the two apart.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from clipfg.errors import DataError
from clipfg.functional.metrics import check_not_nan
from clipfg.functional.similarity import confidence

FALSE_ALARMS = 0.05
"""The share of known images that may be flagged as unknown."""
_CELLS = 32_000_000  # similarities held at once: 128 MB of float32


def energy(logits: Float[Tensor, "n c"], temperature: float = 1.0) -> Float[Tensor, " n"]:
    """`T log sum_k exp(z_k / T)`, the negative free energy.

    Source: Liu et al. 2020, arXiv:2010.03759, equation 3.
    """
    return temperature * (logits.float() / temperature).logsumexp(dim=1)


def max_concept_softmax(
    features: Float[Tensor, "n d"], concepts: Float[Tensor, "c d"], temperature: float = 1.0
) -> Float[Tensor, " n"]:
    """MCM: the largest softmax share of cosines with the classes' concepts (texts or means).

    Source: Ming et al. 2022, arXiv:2211.13445, equation 1; the temperature is 1 there as well.
    """
    return confidence(features.float() @ concepts.float().T / temperature)


def neighbour_cosine(
    features: Float[Tensor, "n d"], known: Float[Tensor, "m d"], k: int = 1
) -> Float[Tensor, " n"]:
    """The cosine with the `k`-th nearest of `known` (with the last if there are fewer).

    On unit-norm rows it ranks items as the Euclidean distance does.

    Raises `DataError` for a `k` below 1 and for no known rows.

    Source: Sun et al. 2022, arXiv:2204.06507, equation 2.
    """
    if k < 1 or not len(known):
        raise DataError(f"Expected k of at least 1 and known rows, got {k} and {len(known)}.")
    rows = max(1, _CELLS // len(known))
    k = min(k, len(known))
    blocks = [
        (block.float() @ known.float().T).topk(k, dim=1).values[:, -1]
        for block in features.split(rows)
    ]
    return torch.cat(blocks)


def auroc(known: Float[Tensor, " n"], unknown: Float[Tensor, " m"]) -> float:
    """How often a known item scores above an unknown one; ties count half, and 0.5 is chance.

    It is Mann and Whitney's U over `n m`. Raises `DataError` if either is empty or holds NaN.
    """
    if not len(known) or not len(unknown):
        raise DataError(f"Expected known and unknown items, got {len(known)} and {len(unknown)}.")
    check_not_nan("known", known)
    check_not_nan("unknown", unknown)
    ordered = known.double().sort().values
    other = unknown.double()
    below = torch.searchsorted(ordered, other, right=False)
    up_to = torch.searchsorted(ordered, other, right=True)
    above = len(known) - 0.5 * (below + up_to).double()
    return float(above.mean() / len(known))


def familiarity(scores: Float[Tensor, " n"], known: Float[Tensor, " m"]) -> Float[Tensor, " n"]:
    """The share of known calibration items that are no more familiar: a conformal p-value.

    `(1 + #{known <= score}) / (m + 1)`, from `1 / (m + 1)` to 1. An exchangeable known item is at
    most `a` with probability `a` or less. Raises `DataError` where either holds NaN.

    Source: Bates et al. 2023, arXiv:2104.08279, equation 2.
    """
    check_not_nan("scores", scores)
    check_not_nan("known", known)
    ordered = known.double().sort().values
    below = torch.searchsorted(ordered, scores.double(), right=True)
    return (1 + below).double() / (len(known) + 1)
