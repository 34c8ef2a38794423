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


def choose_rate(
    base: float, trial: Callable[[float, int], float], steps: int, measure: str
) -> float:
    """The highest rate that does no harm in a short trial.

    `base` is what is measured before training, 0 or more, higher is better, and `measure` says what
    that is; `trial` trains from the base at a rate for a number of steps, and measures then.
    `steps` are those of the whole run.
    """
    short = min(steps, max(LEAST, round(SHARE * steps)))
    best, rate, seen = base, SAFE, [f"base: {base:.3f}"]
    for higher in HIGHER:
        found = trial(higher, short)
        seen.append(f"{higher:g}: {found:.3f}")
        best = max(best, found)
        if found < JOLT * best:
            break
        rate = higher
    logger.info(f"Learning rate: {rate:g}, by {measure} after {short} steps ({', '.join(seen)})")
    return rate
