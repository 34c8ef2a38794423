"""Accuracy and differences over test items and over repeated draws of the support set.

Values `[s, n]` are crossed: the head of every seed classifies the same items. Their mean varies
with the items that happen to be in the test set and with the supports that happen to be drawn:

    V = V_items + V_seeds,  V_items = var_i(mean_s v) / n,  V_seeds = var_s(mean_i v) / s.

Both contain a share of the interaction, so V is conservative. A mean that varies as much as that of
`m` independent items has the score interval of `m` items: Wilson's for a share, Tango's for a
difference. They have width where all values are equal, and stay within the range of the mean. Their
quantile is that of Student's t with Satterthwaite's degrees of freedom; with three seeds that
differ much these are few, and the interval is as wide as so few seeds warrant. A bootstrap over the
items alone would claim that a new draw of the support scores the same.

Where several items are of one thing (a plant, a lot), V_items is that of a bootstrap over whole
groups, and its degrees of freedom are those of the groups.

Source: Searle, Casella and McCulloch 1992, Variance Components, section 4.5; Satterthwaite 1946,
doi:10.2307/3002019.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipfg.errors import DataError
from clipfg.evaluation.statistics.clustered import clustered_variance
from clipfg.evaluation.statistics.intervals import LEVEL
from clipfg.evaluation.statistics.tango import tango_interval
from clipfg.types import Estimate


@dataclass(frozen=True)
class Difference:
    """A mean difference of paired values with its interval, and the p value of its score test."""

    estimate: Estimate
    p_value: float


def accuracy_over(hits: NDArray[np.bool_], groups: NDArray[np.int64] | None = None) -> Estimate:
    """The mean of hits `[s, n]` with its interval; with one seed it is over the items alone.

    Equal numbers in `groups` `[n]` are of one thing, whose items are not independent. Raises
    `DataError` for no hits.
    """
    values = _checked(hits)
    mean = float(values.mean())
    n, freedom = _independent(values, mean * (1 - mean), groups)
    z = _quantile(freedom)
    centre = (mean + z * z / (2 * n)) / (1 + z * z / n)
    spread = z / (1 + z * z / n) * math.sqrt(mean * (1 - mean) / n + z * z / (4 * n * n))
    return Estimate(mean, max(centre - spread, 0.0), min(centre + spread, 1.0))


def difference_over(
    first: NDArray[np.bool_],
    second: NDArray[np.bool_],
    groups: NDArray[np.int64] | None = None,
) -> Difference:
    """The second's accuracy less the first's, on the same seeds and items.

    Hits are `[s, n]`; one row stands for all seeds of the other, and `groups` are those of
    `accuracy_over`. Raises `DataError` for no hits
    and for shapes that do not fit.
    """
    try:
        values = _checked(second.astype(np.float64) - first.astype(np.float64))
    except ValueError:
        raise DataError(
            f"Expected hits on the same seeds and items, got {first.shape} and {second.shape}."
        ) from None
    from scipy.stats import t

    mean, differing = float(values.mean()), float((values**2).mean())
    n, freedom = _independent(values, differing - mean**2, groups)
    gained, lost = n * (differing + mean) / 2, n * (differing - mean) / 2
    estimate = Estimate(mean, *tango_interval(gained, lost, n, _quantile(freedom)))
    score = abs(mean) * math.sqrt(n / differing) if differing else 0.0
    return Difference(estimate, float(2 * t.sf(score, freedom)))


def _checked(values: NDArray[np.float64] | NDArray[np.bool_]) -> NDArray[np.float64]:
    if values.ndim != 2 or not values.size:
        raise DataError(f"Expected values of shape [seeds, items], got {values.shape}.")
    return values.astype(np.float64)


def _independent(
    values: NDArray[np.float64], spread: float, groups: NDArray[np.int64] | None = None
) -> tuple[float, float]:
    """How many independent items of variance `spread` have a mean that varies as much, and t's
    degrees of freedom.

    At most as many as there are values; where nothing varies, the items of one draw, or its groups.
    """
    seeds, n = values.shape
    if groups is not None:
        of_items, n = clustered_variance(values.mean(axis=0), groups), len(np.unique(groups))
    else:
        of_items = float(values.mean(axis=0).var(ddof=1)) / n if n > 1 else 0.0
    of_seeds = float(values.mean(axis=1).var(ddof=1)) / seeds if seeds > 1 else 0.0
    total = of_items + of_seeds
    if total == 0:
        return n, np.inf
    parts = of_items**2 / max(n - 1, 1) + of_seeds**2 / max(seeds - 1, 1)
    return min(spread / total, values.size), total**2 / parts


def _quantile(freedom: float) -> float:
    from scipy.stats import t

    return float(t.ppf((1 + LEVEL) / 2, freedom))
