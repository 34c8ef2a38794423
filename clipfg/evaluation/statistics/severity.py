"""How severe mistakes are by the taxonomy: a sparrow predicted as another sparrow, or as an owl."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipfg.evaluation.statistics.intervals import constant_interval, percentile_interval
from clipfg.evaluation.statistics.outcomes import Outcomes
from clipfg.functional.hierarchy import Tree
from clipfg.types import ClassList, Estimate


@dataclass(frozen=True)
class Severity:
    """Levels up from the true class to its lowest common ancestor with the predicted class.

    `mean` is over `mistakes` misclassified images, from 1 (siblings) to `most` (no common ancestor:
    one more than the height of the tallest group). Lower is better; a classifier that makes fewer
    but more severe mistakes scores higher. `chance` is the same for wrong classes drawn at random.

    Source: Deng et al. 2010; Bertinetto et al. 2020, arXiv:1912.09393 ("mistake severity").
    """

    mistakes: int
    mean: Estimate
    chance: float
    most: int


def severity(outcomes: Outcomes, classes: ClassList, seed: int, resamples: int) -> Severity | None:
    """The severity of all mistakes; None without a taxonomy or without a mistake."""
    wrong = outcomes.select(~outcomes.hits)
    if not classes.parents or not len(wrong):
        return None
    tree = Tree.of(classes.names, [classes.lineage(name) for name in classes.names])
    steps = tree.distances(wrong.labels, wrong.predictions)
    most = int(tree.heights.max()) + 1
    mean = _mean(steps, most, seed, resamples)
    chance = float(tree.mean_distances[wrong.labels].mean())
    return Severity(len(wrong), mean, chance, most)


def _mean(steps: NDArray[np.int64], most: int, seed: int, resamples: int) -> Estimate:
    if (steps == steps[0]).all():
        value = float(steps[0])
        return Estimate(value, *constant_interval(value, len(steps), 1.0, most))
    counts = np.bincount(steps, minlength=most + 1)
    rng = np.random.default_rng(seed)
    draws = rng.multinomial(len(steps), counts / len(steps), resamples) @ np.arange(most + 1)
    value = float(steps.mean())
    low, high = percentile_interval(draws / len(steps), value)
    return Estimate(value, max(low, 1.0), min(high, float(most)))
