"""Means of values that come several to an image.

Items about one image share whatever the encoder makes of it, so that they say less than as many
independent items. A bootstrap draw takes whole images, with all of their items, as often as there
are images; its mean is a ratio of two sums over images.

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
    sums = np.bincount(which, weights=values)
    sizes = np.bincount(which).astype(np.float64)
    draws = np.concatenate(
        [(w @ sums) / (w @ sizes) for w in draw_weights(len(names), resamples, seed)]
    )
    low, high = percentile_interval(draws, value)
    return Estimate(value, max(low, least), min(high, 1.0))
