"""The learning rate, where a recipe leaves it open: what suits one encoder ruins another."""

import logging
from collections.abc import Callable
from dataclasses import replace

from clipfg.training.loop import History
from clipfg.training.recipes import Recipe

logger = logging.getLogger("clipfg")

RATES = (1e-6, 1e-5, 1e-4, 1e-3)
"""From what large encoders bear to what small ones need."""
SHARE, LEAST = 0.1, 10
"""Of the steps of the run that each is tried for, and the fewest steps."""


def choose_rate(train: Callable[[Recipe], History], recipe: Recipe, steps: int) -> float:
    """The rate after whose short trial validation is best; of equals the lowest.

    `train` runs a recipe from the base, and leaves the base as it was.
    """
    short = max(LEAST, round(SHARE * steps))
    found = {}
    for rate in RATES:
        history = train(replace(recipe, lr=rate, steps=short, checks=1))
        found[rate] = -1.0 if history.stopped else history.checks[-1][1]
    best = max(RATES, key=lambda rate: found[rate])
    seen = ", ".join(f"{rate:g}: {100 * value:.1f}" for rate, value in found.items())
    logger.info(f"Learning rate: {best:g}, by {short} steps of each on validation images ({seen})")
    return best
