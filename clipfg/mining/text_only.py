"""The text-only control: how often the true caption is told from its negatives without a picture.

A negative that its text gives away is no negative: a model can win without looking. The control is
trained on the contests of other pictures, by words and pairs of words.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import expit

from clipfg.errors import DataError
from clipfg.mining.negatives import Contest
from clipfg.mining.words import normalised
from clipfg.types import Estimate

FOLDS = 5
PENALTY = 1.0
RESAMPLES = 2000
CHANCE = 0.5
"""Of a pair of a true caption and a negative."""


@dataclass(frozen=True)
class TextOnly:
    """The accuracy of the control over pairs of a true caption and one of its negatives."""

    accuracy: Estimate
    """With a 95 % interval of a bootstrap over pictures; ties count one half."""
    model: str
    """The stronger of `"logistic regression"` and `"naive Bayes"`."""
    pairs: int
    pictures: int

    @property
    def gives_away(self) -> bool:
        """Whether the text alone is better than chance, beyond the interval."""
        return self.accuracy.low > CHANCE

    @property
    def remark(self) -> str:
        """What it means, in a sentence."""
        one = self.accuracy
        said = (
            f"by their texts alone, true captions are told from single negatives in"
            f" {one.value:.1%} of pairs ({one.low:.1%} to {one.high:.1%}; chance 50%)"
        )
        return f"{said}, so that part of it needs no image." if self.gives_away else f"{said}."


def text_only(
    contests: Sequence[Contest], groups: Int[np.ndarray, "n"] | None = None, seed: int = 0
) -> TextOnly:
    """The control's accuracy on every pair, each judged by a model that never saw its picture.

    `groups` number the picture that each item is a part of, where items are parts
    (`Manifest.groups`). Raises `DataError` for contests of fewer than two pictures.
    """
    pairs = [(c.item, c.true, n.text) for c in contests for n in c.negatives]
    items = np.array([item for item, _, _ in pairs], np.int64)
    pictures = np.unique(items if groups is None else groups[items], return_inverse=True)[1]
    count = int(pictures.max(initial=-1)) + 1
    if count < 2:
        raise DataError(f"Expected negatives of two or more pictures, got those of {count}.")
    fold = np.random.default_rng(seed).permutation(count)[pictures] % min(FOLDS, count)
    true, false = _counts([true for _, true, _ in pairs], [false for _, _, false in pairs])
    scorers = {"logistic regression": _logistic, "naive Bayes": _naive_bayes}
    wins = {}
    for name, fit in scorers.items():
        margins = np.zeros(len(pairs))
        for held in np.unique(fold):
            seen = fold != held
            weights = fit(true[seen], false[seen])
            margins[~seen] = (true[~seen] - false[~seen]) @ weights
        wins[name] = np.where(np.abs(margins) < 1e-9, 0.5, margins > 0)
    best = max(wins, key=lambda name: float(wins[name].mean()))
    return TextOnly(_interval(wins[best], pictures, seed), best, len(pairs), count)


def _counts(
    true: Sequence[str], false: Sequence[str]
) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    """How often each word and pair of words stands in each text; those of one text are left out."""
    rows = [_terms(text) for text in (*true, *false)]
    spread = Counter(term for row in rows for term in row)
    column = {term: i for i, term in enumerate(sorted(t for t, n in spread.items() if n > 1))}
    cells = [(i, column[t], n) for i, row in enumerate(rows) for t, n in row.items() if t in column]
    at, to, counts = zip(*cells, strict=True) if cells else ((), (), ())
    shape = (len(rows), max(len(column), 1))
    matrix = sparse.csr_matrix((np.array(counts, np.float64), (at, to)), shape=shape)
    return matrix[: len(true)], matrix[len(true) :]


def _terms(text: str) -> Counter[str]:
    words = ["^", *normalised(text).split(), "$"]
    return Counter([*words[1:-1], *map(" ".join, pairwise(words))])


def _logistic(true: sparse.csr_matrix, false: sparse.csr_matrix) -> Float[np.ndarray, "v"]:
    """The minimiser of `sum log(1 + exp(-w (true - false))) + PENALTY |w|^2 / 2`."""
    apart = true - false

    def loss(weights: Float[np.ndarray, "v"]) -> tuple[float, Float[np.ndarray, "v"]]:
        margins = apart @ weights
        slope = -expit(-margins)
        value = np.logaddexp(0, -margins).sum() + PENALTY / 2 * weights @ weights
        return float(value), apart.T @ slope + PENALTY * weights

    found = minimize(loss, np.zeros(apart.shape[1]), jac=True, method="L-BFGS-B")
    return np.asarray(found.x)


def _naive_bayes(true: sparse.csr_matrix, false: sparse.csr_matrix) -> Float[np.ndarray, "v"]:
    """How much more likely each term is in a true caption, in nats, with add-one counts."""
    sums = [np.asarray(part.sum(axis=0)).ravel() + 1 for part in (true, false)]
    return np.log(sums[0] / sums[0].sum()) - np.log(sums[1] / sums[1].sum())


def _interval(wins: Float[np.ndarray, "p"], pictures: Int[np.ndarray, "p"], seed: int) -> Estimate:
    sums, sizes = np.bincount(pictures, weights=wins), np.bincount(pictures)
    drawn = np.random.default_rng(seed).integers(len(sums), size=(RESAMPLES, len(sums)))
    means = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Estimate(float(wins.mean()), float(low), float(high))
