"""The learning rate, where a recipe leaves it open: what suits one encoder ruins another."""

import logging
from collections.abc import Callable

logger = logging.getLogger("clipfg")

RATES = (1e-3, 1e-4, 1e-5, 1e-6)
"""From what small encoders need to what large ones bear."""
SHARE, LEAST = 0.2, 10
"""Of the steps of the run that each is tried for, and the fewest steps: after fewer, the jolt of a
rate that is right in the end makes it look wrong."""


def choose_rate(trial: Callable[[float, int], float], steps: int, measure: str) -> float:
    """The rate with the best short trial, from the highest down until it no longer gets better.

    `trial` trains from the base at a rate for a number of steps, and gives what was measured then,
    higher is better; `measure` says what that is. `steps` are those of the whole run.
    """
    short = min(steps, max(LEAST, round(SHARE * steps)))
    found: dict[float, float] = {}
    for rate in RATES:
        found[rate] = trial(rate, short)
        if found[rate] < max(found.values()):
            break
    best = max(found, key=lambda rate: found[rate])
    seen = ", ".join(f"{rate:g}: {value:.3f}" for rate, value in found.items())
    logger.info(f"Learning rate: {best:g}, by {measure} after {short} steps of each ({seen})")
    return best
