"""A figure and how sure it is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """A number and the bounds of its 95 % interval."""

    value: float
    low: float
    high: float
