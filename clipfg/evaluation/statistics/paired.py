"""Is one classifier better than another on the same items?"""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from clipfg.errors import DataError
from clipfg.evaluation.statistics.tango import NORMAL, tango_interval
from clipfg.types import Estimate


@dataclass(frozen=True)
class PairedComparison:
    """The second's accuracy less the first's, on the same `n` items.

    `difference` is from -1 to 1, with Tango's interval; `only_first` and `only_second`
    count items that only one of the two classifies correctly; `p_value` is that of McNemar's exact
    test, the probability of so uneven a split of those items by chance.
    """

    n: int
    difference: Estimate
    only_first: int
    only_second: int
    p_value: float

    @property
    def estimate(self) -> Estimate:
        """The difference, under the name that `repeated.Difference` has for it."""
        return self.difference


def compare(first: NDArray[Any], second: NDArray[Any]) -> PairedComparison:
    """Compare two columns of hits `[n]` (`Outcomes.hits`), item by item.

    Only items on which the two differ are evidence of which is better. Raises `DataError` for no
    items or unequal lengths.

    Source: McNemar 1947, doi:10.1007/BF02295996, in its exact binomial form.
    """
    if len(first) != len(second) or not len(first):
        raise DataError(
            f"Expected two classifiers' hits on the same items, got {len(first)} and {len(second)}."
        )
    from scipy.stats import binomtest

    n = len(first)
    only_first = int((first & ~second).sum())
    only_second = int((second & ~first).sum())
    bounds = tango_interval(only_second, only_first, n, NORMAL)
    differing = only_first + only_second
    p_value = float(binomtest(only_second, differing).pvalue) if differing else 1.0
    estimate = Estimate((only_second - only_first) / n, *bounds)
    return PairedComparison(n, estimate, only_first, only_second, p_value)
