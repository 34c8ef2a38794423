"""Estimates and differences as columns of a row, as shares."""

from clipfg.evaluation.statistics.paired import PairedComparison
from clipfg.evaluation.statistics.repeated import Difference
from clipfg.types import Estimate


def accuracy_columns(top1: Estimate) -> dict[str, float]:
    """Top-1 accuracy and its interval."""
    return {"top1": top1.value, "low": top1.low, "high": top1.high}


def difference_columns(against: Difference | PairedComparison | None) -> dict[str, float | None]:
    """A paired difference with its interval and p value; all None where there is none."""
    gain = against.estimate if against else None
    return {
        "difference": gain.value if gain else None,
        "difference_low": gain.low if gain else None,
        "difference_high": gain.high if gain else None,
        "p_value": against.p_value if against else None,
    }
