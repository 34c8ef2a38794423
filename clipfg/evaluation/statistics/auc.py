"""The area under the ROC curve over items and seeds, its interval, and paired differences.

Of several classes it is the mean over classes of each against the rest. Its variance over items is
that of DeLong's placement values, which add up over classes, seeds and differences alike; that over
seeds is added, as in `repeated`.

Source: DeLong, DeLong and Clarke-Pearson 1988, doi:10.2307/2531595.
"""

import math

import numpy as np
from numpy.typing import NDArray

from clipfg.errors import DataError
from clipfg.evaluation.statistics.intervals import constant_interval
from clipfg.evaluation.statistics.repeated import Difference
from clipfg.evaluation.statistics.tango import NORMAL
from clipfg.types import Estimate

Floats = NDArray[np.float64]


def auc_over(scores: Floats, labels: NDArray[np.int64]) -> Estimate:
    """The mean over seeds of the AUC of scores `[s, n, c]` of the classes that occur.

    Raises `DataError` where all labels are the same.
    """
    values, influence = _placements(scores, labels)
    mean = float(values.mean())
    low, high = _interval(mean, values, influence)
    return Estimate(mean, max(low, 0.0), min(high, 1.0))


def auc_difference(first: Floats, second: Floats, labels: NDArray[np.int64]) -> Difference:
    """The second's AUC less the first's, on the same seeds and items."""
    (own, own_influence), (other, other_influence) = (
        _placements(scores, labels) for scores in (first, second)
    )
    values, influence = other - own, other_influence - own_influence
    mean = float(values.mean())
    low, high = _interval(mean, values, influence, least=-1.0)
    spread = _spread(values, influence)
    p_value = math.erfc(abs(mean) / spread / math.sqrt(2)) if spread else float(mean == 0)
    return Difference(Estimate(mean, max(low, -1.0), min(high, 1.0)), p_value)


def _interval(
    mean: float, values: Floats, influence: Floats, least: float = 0.0
) -> tuple[float, float]:
    spread = _spread(values, influence)
    if not spread:
        return constant_interval(mean, len(influence), least)
    reach = NORMAL * spread
    return mean - reach, mean + reach


def _spread(values: Floats, influence: Floats) -> float:
    """The standard error of the mean over seeds `[s]`, from each item's influence on it `[n]`."""
    of_seeds = float(values.var(ddof=1)) / len(values) if len(values) > 1 else 0.0
    return math.sqrt(float((influence**2).sum()) + of_seeds)


def _placements(scores: Floats, labels: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """The AUC of each seed, and the influence of each item on their mean."""
    classes = np.unique(labels)
    if len(classes) < 2:
        raise DataError("Expected items of two classes for an AUC, got those of one.")
    seeds, n, _ = scores.shape
    values, influence = np.zeros(seeds), np.zeros(n)
    for seed in range(seeds):
        for label in classes:
            inside = labels == label
            above, below = _shares(scores[seed, :, label], inside)
            value = above.mean()
            values[seed] += value / len(classes)
            own = np.zeros(n)
            own[inside] = (above - value) / math.sqrt(len(above) * max(len(above) - 1, 1))
            own[~inside] = (below - value) / math.sqrt(len(below) * max(len(below) - 1, 1))
            influence += own / (len(classes) * seeds)
    return values, influence


def _shares(scores: Floats, inside: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Of each item inside the share of those outside below it, and the other way round."""
    own, other = scores[inside], scores[~inside]
    return _below(own, other), 1 - _below(other, own)


def _below(values: Floats, others: Floats) -> Floats:
    ordered = np.sort(others)
    sides = (np.searchsorted(ordered, values, side=side) for side in ("left", "right"))
    return sum(sides, np.zeros(len(values))) / (2 * len(others))
