import numpy as np
import pytest

from clipfg.evaluation.statistics.outcomes import Outcomes
from clipfg.evaluation.statistics.severity import severity
from clipfg.types import ClassList

# Two genera of one family, and a class without a genus right under the other family.
PARENTS = {"a": "x", "b": "x", "c": "y", "d": "y", "x": "f", "y": "f", "e": "g"}
CLASSES = ClassList(tuple("abcde"), PARENTS)
MOST = 3


def outcomes(labels: str, predictions: str) -> Outcomes:
    index = [
        np.array(["abcde".index(x) for x in names], np.int32) for names in (labels, predictions)
    ]
    n = len(labels)
    return Outcomes(*index, np.ones(n, bool), np.zeros(n, np.float32), np.ones(n, np.float32))


def test_levels_up_to_the_common_ancestor() -> None:
    for truth, predicted, levels in (("a", "b", 1), ("a", "c", 2), ("a", "e", 3), ("e", "a", 3)):
        found = severity(outcomes(truth, predicted), CLASSES, 0, 10)
        assert (found.mistakes, found.most) == (1, MOST)
        assert found.mean.value == levels
        assert 1 <= found.mean.low <= levels <= found.mean.high <= MOST  # of one mistake
        assert found.mean.high - found.mean.low > 1


def test_mistakes_alone_count_and_chance_is_of_the_same_images() -> None:
    # correct ones, then a mistake at 1, 2 and 3 levels, of classes a, a and e
    found = severity(outcomes("aabcdeaae", "aabcdebca"), CLASSES, 0, 10)
    assert found.mistakes == 3
    assert found.mean.value == pytest.approx((1 + 2 + 3) / 3)
    of_a, of_e = (1 + 2 + 2 + 3) / 4, 3.0
    assert found.chance == pytest.approx((2 * of_a + of_e) / 3)


def test_the_interval_is_the_bootstrap_of_the_mean() -> None:
    labels, predictions = "a" * 90, "b" * 40 + "c" * 20 + "e" * 30
    found = severity(outcomes(labels, predictions), CLASSES, 0, 4000)
    levels = np.repeat([1.0, 2.0, 3.0], [40, 20, 30])
    draws = np.random.default_rng(1).choice(levels, size=(4000, 90)).mean(axis=1)
    low, high = np.percentile(draws, [2.5, 97.5])
    assert found.mean.value == pytest.approx(levels.mean())
    assert (found.mean.low, found.mean.high) == pytest.approx((low, high), abs=0.02)
    assert severity(outcomes(labels, predictions), CLASSES, 0, 4000) == found
    assert severity(outcomes(labels, predictions), CLASSES, 1, 4000).mean != found.mean


@pytest.mark.parametrize("predictions", ["b" * 9 + "c", "e" * 9 + "c"])
def test_the_interval_stays_between_siblings_and_strangers(predictions) -> None:
    for seed in range(20):
        mean = severity(outcomes("a" * 10, predictions), CLASSES, seed, 20).mean
        assert 1 <= mean.low <= mean.value <= mean.high <= MOST


def test_no_mistake_or_no_taxonomy_has_no_severity() -> None:
    assert severity(outcomes("abc", "abc"), CLASSES, 0, 10) is None
    assert severity(outcomes("abc", "bca"), ClassList(tuple("abcde")), 0, 10) is None
