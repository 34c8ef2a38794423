"""Means of values that come several to an image, or several to a plant, lot or camera.

Items about one thing share whatever the encoder makes of it, so that they say less than as many
independent items. A bootstrap draw takes whole clusters, with all of their items, as often as there
are clusters; its mean is a ratio of two sums over clusters.

Source: Davison and Hinkley 1997, Bootstrap Methods and their Application, section 3.8.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from clipfg.evaluation.statistics.intervals import (
    RESAMPLES,
    constant_interval,
    draw_weights,
    percentile_interval,
)
from clipfg.types import Estimate


def clustered_mean(
    values: NDArray[np.float64],
    clusters: Sequence[str],
    seed: int = 0,
    resamples: int = RESAMPLES,
    least: float = 0.0,
) -> Estimate:
    """The mean of values `[n]` from `least` to 1, with an interval over their clusters `[n]`.

    Where all values are equal, so would all draws be: the interval is that of as many values as
    there are clusters.
    """
    value = float(values.mean())
    names, which = np.unique(np.asarray(clusters, dtype=object).astype(str), return_inverse=True)
    if (values == values[0]).all():
        return Estimate(value, *constant_interval(value, len(names), least))
    low, high = percentile_interval(_draws(values, which, seed, resamples), value)
    return Estimate(value, max(low, least), min(high, 1.0))


def clustered_variance(
    values: NDArray[np.float64], clusters: NDArray[np.int64], seed: int = 0
) -> float:
    """The variance of the mean of values `[n]` over draws of `g` clusters, times `g / (g - 1)`.

    The factor makes up for the spread of a sample being that much smaller than its population's;
    with an item in each cluster this is the usual `s^2 / n`. 0 for one cluster.
    """
    which = np.unique(clusters, return_inverse=True)[1]
    count = int(which.max()) + 1
    if count < 2:
        return 0.0
    return float(_draws(values, which, seed, RESAMPLES).var()) * count / (count - 1)


def _draws(
    values: NDArray[np.float64], which: NDArray[np.int64], seed: int, resamples: int
) -> NDArray[np.float64]:
    """The mean of each draw of clusters, which are numbered from 0."""
    sums = np.bincount(which, weights=values)
    sizes = np.bincount(which).astype(np.float64)
    weights = draw_weights(len(sums), resamples, seed)
    return np.concatenate([(w @ sums) / (w @ sizes) for w in weights])
