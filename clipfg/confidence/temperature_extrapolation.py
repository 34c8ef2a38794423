"""What folds of a support tell of the head that has learnt from all of it: the scale of logits."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from clipfg.functional.scaling import fit_temperature
from clipfg.functional.similarity import top_classes
from clipfg.heads import Head
from clipfg.heads.held_out import HeldOutFold, by_folds, held_out_logits
from clipfg.heads.support import Support

FOLDS = 16
"""At most: each then holds out a sixteenth, or one image of each class where there are fewer.

Fewer folds leave heads that have learnt from markedly less. Leaving out one image alone, as more
would, makes its own class the only one that lacks an image, and sets larger."""
FEWEST = 4
"""Images of the largest class, so that halves have two: with one image of each class the spread
within classes is unknown, and heads that go by it become others."""
_SAMPLE = 1000  # rows among which ties are looked for


def factor_of_all(
    head: Head,
    support: Support,
    parts: Sequence[HeldOutFold],
    logits: Float[Tensor, "n c"],
    factor: float,
    seed: int,
) -> float:
    """The factor that calibrates `head` itself, from that of its folds and that of halves.

    `parts` are `by_folds(head, support, seed, FOLDS)`, `logits` theirs, and `factor` is
    `fit_temperature` of these.

    A head is surer than it may be by what its few images mislead it, which fades as one over
    their number: `log f(k) = log f(infinity) - a / k`. With `k_1` and `k_2` images a class
    learnt from in folds and in halves, `f(k) = f_1 (f_1 / f_2)^r` with
    `r = (1/k_1 - 1/k) / (1/k_2 - 1/k_1)`, Richardson's extrapolation to `k`.

    It is the folds' own factor where that cannot be measured: with fewer than `FEWEST` images of
    every class; where all held-out images are named rightly, which no finite factor fits; and
    for votes, whose ties any other factor would move past a threshold together.
    """
    if int(support.counts.max()) < FEWEST or _votes(logits):
        return factor
    halves = by_folds(head, support, seed, 2)
    fewer, rows = held_out_logits(halves)
    labels = support.labels[rows]
    if _all_right(logits, labels) or _all_right(fewer, labels):
        return factor
    h, h_folds, h_halves = support.classes / len(support), _rarity(parts), _rarity(halves)
    ratio = factor / fit_temperature(fewer, labels)
    return factor * float(ratio ** ((h_folds - h) / (h_halves - h_folds)))


def _votes(logits: Float[Tensor, "n c"]) -> bool:
    some = logits[:_SAMPLE]
    return len(some.unique()) < some.numel() / 2


def _all_right(logits: Float[Tensor, "n c"], labels: Tensor) -> bool:
    return bool((top_classes(logits, 1)[:, 0] == labels).all())


def _rarity(parts: Sequence[HeldOutFold]) -> float:
    """One over the images of a class that were learnt from, on average over those held out."""
    shares = [len(part.rows) * part.support.classes / len(part.train) for part in parts]
    return sum(shares) / sum(len(part.rows) for part in parts)
