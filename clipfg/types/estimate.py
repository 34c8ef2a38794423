"""A number with its uncertainty."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """A number with the bounds of its 95 % confidence interval."""

    value: float
    low: float
    high: float
