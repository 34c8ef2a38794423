"""The learning rate, where a recipe leaves it open: what suits one encoder ruins another."""

import logging
from collections.abc import Callable

logger = logging.getLogger("clipfg")

SAFE = 1e-5
"""What large encoders bear."""
HIGHER = (1e-4, 1e-3)
"""What smaller ones need, in the order in which they are tried."""
SHARE, LEAST = 0.2, 10
"""Of the steps of the run that each is tried for, and the fewest steps."""
JOLT = 0.8
"""Of the best measure, what a rate must keep: a high rate that is right in the end jolts the
encoder first, and looks worse than a low one for as long as a trial lasts."""


Trial = Callable[[float, int], tuple[float, float]]
"""Trains from the base at a rate for a number of steps; gives what was measured before and after,
0 or more, higher is better."""


def choose_rate(trial: Trial, steps: int, measure: str) -> float:
    """The highest rate that does no harm in a short trial.

    `steps` are those of the whole run, `measure` says what is measured.
    """
    short = min(steps, max(LEAST, round(SHARE * steps)))
    best, rate, seen = 0.0, SAFE, []
    for higher in HIGHER:
        before, after = trial(higher, short)
        seen.append(f"{higher:g}: {after:.3f}")
        best = max(best, before, after)
        if after < JOLT * best:
            break
        rate = higher
    logger.info(
        f"Learning rate: {rate:g}, by {measure} after {short} steps"
        f" ({', '.join(seen)}; base: {before:.3f})"
    )
    return rate
