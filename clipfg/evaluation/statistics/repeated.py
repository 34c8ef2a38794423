"""Accuracy and differences over test items and over repeated draws of the support set.

Values `[s, n]` are crossed: the head of every seed classifies the same items. Their mean varies
with the items that happen to be in the test set and with the supports that happen to be drawn:

    V = V_items + V_seeds,  V_items = var_i(mean_s v) / n,  V_seeds = var_s(mean_i v) / s.

Both contain a share of the interaction, so V is conservative. Bounds use Student's t with
Satterthwaite's degrees of freedom; with three seeds that differ much these are few, and the
interval is as wide as so few seeds warrant. A bootstrap over the items alone would claim that a
new draw of the support scores the same.

Source: Searle, Casella and McCulloch 1992, Variance Components, section 4.5; Satterthwaite 1946,
doi:10.2307/3002019.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipfg.errors import DataError
from clipfg.evaluation.statistics.intervals import LEVEL, wilson_interval
from clipfg.types import Estimate


@dataclass(frozen=True)
class Difference:
    """A mean difference of paired values with its interval, and the p value of its t test."""

    estimate: Estimate
    p_value: float


def accuracy_over(hits: NDArray[np.bool_]) -> Estimate:
    """The mean of hits `[s, n]` with its interval; with one seed it is over the items alone.

    Near 0 and 1 a symmetric interval would leave that range: this one is Wilson's, for the number
    of independent items whose mean varies as much. Raises `DataError` for no hits.
    """
    values = _checked(hits)
    mean = float(values.mean())
    variance, freedom = _variance(values)
    if variance == 0:  # all correct or all wrong: the number of items alone bounds it
        return Estimate(mean, *wilson_interval(round(mean * values.shape[1]), values.shape[1]))
    z, n = _quantile(freedom), mean * (1 - mean) / variance
    centre = (mean + z * z / (2 * n)) / (1 + z * z / n)
    spread = z / (1 + z * z / n) * float(np.sqrt(variance + z * z / (4 * n * n)))
    return Estimate(mean, centre - spread, centre + spread)


def difference_over(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> Difference:
    """The second's accuracy less the first's, on the same seeds and items.

    Hits are `[s, n]`; one row stands for all seeds of the other. Raises `DataError` for no hits
    and for shapes that do not fit.
    """
    try:
        values = _checked(second.astype(np.float64) - first.astype(np.float64))
    except ValueError:
        raise DataError(
            f"Expected hits on the same seeds and items, got {first.shape} and {second.shape}."
        ) from None
    from scipy.stats import t

    mean = float(values.mean())
    variance, freedom = _variance(values)
    if variance == 0:
        return Difference(Estimate(mean, mean, mean), 1.0)
    error = float(np.sqrt(variance))
    reach = _quantile(freedom) * error
    p_value = float(2 * t.sf(abs(mean) / error, freedom))
    return Difference(Estimate(mean, max(mean - reach, -1.0), min(mean + reach, 1.0)), p_value)


def _checked(values: NDArray[np.float64] | NDArray[np.bool_]) -> NDArray[np.float64]:
    if values.ndim != 2 or not values.size:
        raise DataError(f"Expected values of shape [seeds, items], got {values.shape}.")
    return values.astype(np.float64)


def _variance(values: NDArray[np.float64]) -> tuple[float, float]:
    """The variance of the mean, and its degrees of freedom."""
    seeds, n = values.shape
    of_items = float(values.mean(axis=0).var(ddof=1)) / n if n > 1 else 0.0
    of_seeds = float(values.mean(axis=1).var(ddof=1)) / seeds if seeds > 1 else 0.0
    total = of_items + of_seeds
    if total == 0:
        return 0.0, np.inf
    parts = of_items**2 / max(n - 1, 1) + of_seeds**2 / max(seeds - 1, 1)
    return total, total**2 / parts


def _quantile(freedom: float) -> float:
    from scipy.stats import t

    return float(t.ppf((1 + LEVEL) / 2, freedom))
