"""Temperature scaling, fitted on held-out logits, so that probabilities are calibrated."""

from collections.abc import Iterator

from jaxtyping import Float, Int
from torch import Tensor

from clipfg.errors import DataError
from clipfg.functional.metrics import check_logits

_STEPS = 100
_CELLS = 4_000_000  # logits held in double precision at once: 32 MB
_FARTHEST = 15.0  # the largest change of the factor from its first guess, in natural logarithms


def fit_temperature(logits: Float[Tensor, "n c"], labels: Int[Tensor, " n"]) -> float:
    """The factor `1 / T > 0` on logits that minimises the mean negative log-likelihood.

    No prediction changes. The loss is convex in the factor and minimised by Newton's method; a step
    that would leave the current bounds halves the interval instead. If every prediction is correct,
    the best factor is infinite: the search ends some millions of times above `1 / deviation`.

    Raises `DataError` for no rows, unequal lengths, labels outside `0..c-1` and logits that are not
    finite.

    Source: Guo et al. 2017, arXiv:1706.04599, equation 9.
    """
    if len(logits) != len(labels) or not len(labels):
        raise DataError(
            f"Expected as many labels as rows of logits and at least one, got {len(labels)} and"
            f" {len(logits)}."
        )
    check_logits(logits, labels)
    spread = _deviation(logits) or 1.0
    low, high = spread**-1 * 2.718281828**-_FARTHEST, spread**-1 * 2.718281828**_FARTHEST
    factor = 1 / spread
    for _ in range(_STEPS):
        slope, curve = _derivatives(logits, labels, factor)
        low, high = (low, factor) if slope > 0 else (factor, high)
        step = factor - slope / curve if curve > 0 else -1.0
        following = step if low < step < high else (low * high) ** 0.5
        if abs(following - factor) <= 1e-10 * factor:
            break
        factor = following
    return factor


def _deviation(logits: Tensor) -> float:
    """The standard deviation of logits less the largest of their row."""
    sums = squares = 0.0
    for z in _blocks(logits):
        sums, squares = sums + float(z.sum()), squares + float(z.square().sum())
    mean = sums / logits.numel()
    return max(squares / logits.numel() - mean**2, 0.0) ** 0.5


def _derivatives(logits: Tensor, labels: Tensor, factor: float) -> tuple[float, float]:
    """The first and second derivative of the mean loss with respect to the factor."""
    slope = curve = 0.0
    start = 0
    for z in _blocks(logits):
        own = z.gather(1, labels[start : start + len(z)].long()[:, None])[:, 0]
        start += len(z)
        shares = (factor * z).softmax(dim=1)
        mean = (shares * z).sum(dim=1)
        slope += float((mean - own).sum())
        curve += float(((shares * z.square()).sum(dim=1) - mean.square()).sum())
    return slope / len(logits), curve / len(logits)


def _blocks(logits: Tensor) -> Iterator[Tensor]:
    """Rows less their largest value, in double precision, block by block."""
    for rows in logits.split(max(1, _CELLS // logits.shape[1])):
        yield rows.double() - rows.double().amax(dim=1, keepdim=True)
