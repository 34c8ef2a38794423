"""How far a finite test set may miss a guarantee that holds.

A conformal threshold keeps its level on average over calibrations: one calibration's own coverage
is a draw of a beta distribution, and a test set adds its binomial spread to it.

Source: Vovk 2012, arXiv:1209.2673, proposition 2; Angelopoulos and Bates 2021, arXiv:2107.07511,
section 3.2 (the beta-binomial).
"""

from collections.abc import Sequence

import numpy as np

CHANCE = 0.025
"""How often a guarantee that holds may be called broken."""
DRAWS = 10_000


def least_coverage(level: float, calibrated: Sequence[int], tested: Sequence[int]) -> float:
    """The `CHANCE` quantile of the share covered of `sum(tested)` items.

    Group `k` has a threshold of its own, the conformal quantile at `level` of `calibrated[k]`
    items, and `tested[k]` items. Exact for one group, of `DRAWS` seeded draws for several. 0 where
    nothing is tested.
    """
    from scipy.stats import betabinom

    n, m = np.asarray(calibrated), np.asarray(tested)
    if not m.sum():
        return 0.0
    rank = np.ceil((n + 1) * level - 1e-9)
    if len(n) == 1:
        return float(betabinom.ppf(CHANCE, m[0], rank[0], n[0] + 1 - rank[0])) / int(m[0])
    rng = np.random.default_rng(0)
    covered = sum(
        rng.binomial(items, rng.beta(a, b, DRAWS))
        for items, a, b in zip(m, rank, n + 1 - rank, strict=True)
    )
    return float(np.quantile(covered, CHANCE, method="lower") / m.sum())


def most_errors(target: float, answered: int) -> float:
    """The `1 - CHANCE` quantile of the share wrong of `answered` items at an error of `target`.

    Binomial alone: a bound on the error already covers what calibration draws. 1 for no items.
    """
    from scipy.stats import binom

    return float(binom.ppf(1 - CHANCE, answered, target) / answered) if answered else 1.0
