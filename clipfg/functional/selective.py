"""Selective prediction: risk, coverage, and a threshold with a bound on the error."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from clipfg.errors import DataError
from clipfg.functional.metrics import check_hits

_FIRST = 0.5
"""The strictest candidate's share of the failure probability of `abstention_threshold`."""


class RiskCoverage(NamedTuple):
    """Share answered and error among those, for each distinct certainty, the highest first."""

    coverage: Float[Tensor, " m"]
    risk: Float[Tensor, " m"]


class SelectionThreshold(NamedTuple):
    """Answer above `threshold`; `answered` calibration images are, of which `wrong` are wrong."""

    threshold: float
    answered: int
    wrong: int


def risk_coverage(certainty: Float[Tensor, " n"], hits: Bool[Tensor, " n"]) -> RiskCoverage:
    """The error among answered items as less and less certain ones are answered too.

    Items of equal certainty are answered together or not at all. Raises `DataError` for no items,
    unequal lengths and NaN.

    Source: El-Yaniv and Wiener 2010; Geifman and El-Yaniv 2017, arXiv:1705.08500.
    """
    check_hits("certainty", certainty, hits)
    ordered, order = certainty.sort(descending=True, stable=True)
    wrong = (~hits[order]).double().cumsum(0)
    last = torch.ones_like(ordered, dtype=torch.bool)
    last[:-1] = ordered[1:] != ordered[:-1]
    answered = torch.arange(1, len(hits) + 1, device=hits.device)[last]
    return RiskCoverage(answered / len(hits), wrong[last] / answered)


def aurc(certainty: Float[Tensor, " n"], hits: Bool[Tensor, " n"]) -> float:
    """The area under the risk-coverage curve: the mean risk over answering 1, 2, ..., n items.

    Within a tie the risk is that of a random order. It is 0 if everything is correct, and the error
    rate for an uninformative certainty. Raises as `risk_coverage` does.

    Source: Geifman, Uziel and El-Yaniv 2019, arXiv:1805.08206, equation 4.
    """
    check_hits("certainty", certainty, hits)
    ordered, order = certainty.sort(descending=True, stable=True)
    _, group, sizes = torch.unique_consecutive(ordered, return_inverse=True, return_counts=True)
    errors = torch.zeros(len(sizes), dtype=torch.double, device=hits.device)
    errors.index_add_(0, group, (~hits[order]).double())
    expected = (errors / sizes)[group].cumsum(0)  # errors are spread evenly over a tie
    return float((expected / torch.arange(1, len(hits) + 1, device=hits.device)).mean())


def error_bound(wrong: int, answered: int, certainty: float) -> float:
    """The upper bound of an error rate that holds with probability `certainty`, by the binomial.

    The rate at which `wrong` or fewer of `answered` have probability `1 - certainty`; 1 without
    items. Source: Clopper and Pearson 1934, doi:10.1093/biomet/26.4.404.
    """
    if wrong >= answered:
        return 1.0
    from scipy.stats import beta

    return float(beta.ppf(certainty, wrong + 1, answered - wrong))


def fewest_right(target: float, certainty: float) -> int:
    """How many answers, all correct, it takes to show that the error is at most `target`.

    The smallest n with `(1 - target)^n <= 1 - certainty`. For several tests divide `1 - certainty`.
    """
    return math.ceil(math.log(1 - certainty) / math.log1p(-target) - 1e-12)


def fewest_answers(target: float, confidence: float) -> int:
    """How many answers, all correct, `abstention_threshold` takes to return a threshold."""
    return fewest_right(target, 1 - (1 - confidence) * _FIRST)


def candidates(n: int, target: float, confidence: float) -> list[int]:
    """How many of `n` calibration items the tested thresholds answer, in ascending order.

    Steps of `n / 20`, or of 40 items if that is more steps, up to 50; those that answer fewer than
    `fewest_answers` cannot pass and are left out.
    """
    steps = min(max(n // 40, 20), 50)
    fewest = fewest_answers(target, confidence)
    return sorted({j for step in range(steps) if (j := n * (step + 1) // steps) >= fewest})


def abstention_threshold(
    certainty: Float[Tensor, " n"], hits: Bool[Tensor, " n"], target: float, confidence: float = 0.9
) -> SelectionThreshold | None:
    """The threshold that answers most items with an error of at most `target` among them.

    With probability `confidence` over calibration items, the error among all answered items (not
    only these) is at most `target`; None if no candidate can be shown to achieve it.

    Candidates answer only the `j` most certain items, for the `j` of `candidates`. Given the
    certainty of item `j + 1`, the more certain ones are independent draws of what is answered, so
    that their number of errors is binomial: a candidate passes if Clopper and Pearson's bound at
    its level is at most `target`. Half of the failure probability `1 - confidence` belongs to the
    strictest candidate, the rest to all in equal parts; one that passes hands what it has to the
    next more lenient one. So where one candidate after the other passes, the last ones are tested
    at nearly all of it, where Bonferroni's correction would leave them `1 / m`; and one unlucky
    error among the surest does not end it, as it would a fixed sequence. Items have to be
    exchangeable with those answered later.

    Raises `DataError` for no items, unequal lengths, NaN and numbers outside 0 to 1.

    Source: Geifman and El-Yaniv 2017, arXiv:1705.08500 (SGR); the tests are combined as in
    Angelopoulos et al. 2021, arXiv:2110.01052 (Learn then Test), by the fallback procedure of
    Wiens 2003, doi:10.1002/pst.64.
    """
    check_hits("certainty", certainty, hits)
    if not (0 < target < 1 and 0 < confidence < 1):
        raise DataError(
            f"Expected a target error and a confidence between 0 and 1, got {target} and"
            f" {confidence}."
        )
    found, handed = None, 0.0
    ordered = certainty.sort(descending=True).values
    ranks = candidates(len(hits), target, confidence)
    for place, j in enumerate(ranks):
        own = (1 - _FIRST) / len(ranks) + (_FIRST if place == 0 else 0)
        handed += (1 - confidence) * own
        threshold = float(ordered[j]) if j < len(hits) else -math.inf
        kept = certainty > threshold
        answered, wrong = int(kept.sum()), int((kept & ~hits).sum())
        if error_bound(wrong, answered, 1 - handed) <= target:
            found = SelectionThreshold(threshold, answered, wrong)
        else:
            handed = 0.0
    return found
