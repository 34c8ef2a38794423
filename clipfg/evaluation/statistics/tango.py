"""The score interval of a paired difference: to differences what Wilson's is to shares."""

import math
from collections.abc import Callable

NORMAL = 1.959963984540054
"""The quantile of a normal distribution that bounds 95 %."""


def tango_interval(gained: float, lost: float, n: float, z: float) -> tuple[float, float]:
    """Bounds of `(gained - lost) / n`, the mean of `n` differences of 1, -1 and 0.

    They are the differences at which a score test just rejects, with the spread that such a
    difference implies; so they have width where no item differs, and stay within -1 and 1. `z` is
    the quantile of the test. Counts may be fractions: those of fewer, independent items.

    Source: Tango 1998, doi:10.1002/(SICI)1097-0258(19980430)17:8<891::AID-SIM780>3.0.CO;2-B.
    """
    mean = (gained - lost) / n

    def score(delta: float) -> float:
        b = (2 * n - gained + lost) * delta - gained - lost
        c = 4 * n * lost * delta * (1 - delta)  # -2 A C of the quadratic for the share lost
        share = (math.sqrt(max(b * b + 2 * c, 0.0)) - b) / (4 * n)
        variance = n * (2 * share + delta * (1 - delta))
        return (gained - lost - n * delta) / math.sqrt(variance) if variance > 1e-12 else 0.0

    return _crossing(score, mean, -1.0, z), _crossing(score, mean, 1.0, -z)


def _crossing(
    score: Callable[[float], float], inside: float, outside: float, level: float
) -> float:
    """Where a score that is 0 at `inside` reaches `level`, by bisection; else `outside`."""
    for _ in range(60):
        middle = (inside + outside) / 2
        if abs(score(middle)) < abs(level):
            inside = middle
        else:
            outside = middle
    return (inside + outside) / 2
