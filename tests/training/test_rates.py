"""Which learning rate short trials lead to."""

import pytest

from clipfg.training.rates import choose_rate


@pytest.mark.parametrize(
    ("base", "trials", "chosen"),
    [
        (0.353, {1e-4: 0.337, 1e-3: 0.311}, 1e-3),  # a jolt, not harm
        (0.50, {1e-4: 0.52, 1e-3: 0.30}, 1e-4),
        (0.50, {1e-4: 0.45, 1e-3: 0.38}, 1e-4),
        (0.10, {1e-4: 0.50, 1e-3: 0.30}, 1e-4),  # harm beside another rate
        (0.50, {1e-4: 0.20}, 1e-5),  # nothing is tried beyond a rate that does harm
    ],
)
def test_the_highest_rate_that_does_no_harm(base, trials, chosen) -> None:
    seen = []

    def trial(rate: float, steps: int) -> tuple[float, float]:
        seen.append(steps)
        return base, trials[rate]

    assert choose_rate(trial, 500, "Recall@1") == chosen
    assert seen == [100] * len(trials)


def test_a_trial_is_no_longer_than_the_run() -> None:
    seen = []
    choose_rate(lambda _, steps: seen.append(steps) or (1.0, 1.0), 4, "Recall@1")
    assert seen == [4, 4]
