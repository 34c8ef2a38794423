"""How figures are written, in a terminal and on a page alike."""

from clipfg.types import Estimate


def percent(share: float | None, digits: int = 1) -> str:
    """A share from 0 to 1 as a percentage; "–" for None."""
    return "–" if share is None else f"{share:.{digits}%}"


def bounds(estimate: Estimate) -> str:
    """The interval of a share, in percent: "42.0 – 55.5"."""
    return f"{100 * estimate.low:.1f} – {100 * estimate.high:.1f}"


def points(difference: Estimate) -> str:
    """A difference of shares with its interval, in percentage points: "+1.1 (-0.4 to +2.6)"."""
    value, low, high = (100 * x for x in (difference.value, difference.low, difference.high))
    return f"{value:+.1f} ({low:+.1f} to {high:+.1f})"


def grouped(number: int) -> str:
    """A whole number with its thousands set apart: "1,200"."""
    return f"{number:,}"


def count(number: int, noun: str) -> str:
    """A number with its noun: "1 image", "1,200 images"."""
    return f"{number:,} {noun if number == 1 else f'{noun}s'}"
