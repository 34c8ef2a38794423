"""The temperature of a head that has learnt from all images, from heads that learnt from parts."""

from jaxtyping import Float
from torch import Tensor

from clipfg.functional.similarity import top_classes
from clipfg.heads import Head
from clipfg.heads.held_out import CrossFit

FOLDS = 16
"""The largest number: each holds out a sixteenth, or one image of each class if there are fewer.

Fewer folds leave heads that have learnt from markedly less. More would leave out single images,
whose own class would then be the only one that lacks an image, which makes sets larger."""
FEWEST = 4
"""Images of the largest class, so that halves have two: with one image of each class the spread
within classes is unknown, and heads that use it behave differently."""
_SAMPLE = 1000  # rows searched for ties


def factor_of_all(head: Head, folds: CrossFit, seed: int) -> float:
    """The factor that calibrates `head` itself, from that of its folds and that of halves.

    `folds` are `CrossFit.of(head, support, seed, FOLDS)`.

    How far a head's few images make it overconfident fades as one over their number:
    `log f(k) = log f(infinity) - a / k`. With `k_1` and `k_2` training images per class in folds
    and in halves, `f(k) = f_1 (f_1 / f_2)^r` with `r = (1/k_1 - 1/k) / (1/k_2 - 1/k_1)`:
    Richardson's extrapolation to `k`.

    The folds' own factor is used where that cannot be measured: with fewer than `FEWEST` images of
    every class; where all held-out images are classified correctly, which no finite factor fits;
    and for votes, whose ties any other factor would move across a threshold together.
    """
    support = folds.support
    if int(support.counts.max()) < FEWEST or _votes(folds.logits):
        return folds.factor
    halves = CrossFit.of(head, support, seed, 2)
    if not halves.folds or _all_right(folds) or _all_right(halves):
        return folds.factor
    h, h_folds, h_halves = support.classes / len(support), _rarity(folds), _rarity(halves)
    return folds.factor * float(
        (folds.factor / halves.factor) ** ((h_folds - h) / (h_halves - h_folds))
    )


def _votes(logits: Float[Tensor, "n c"]) -> bool:
    some = logits[:_SAMPLE]
    return len(some.unique()) < some.numel() / 2


def _all_right(fitted: CrossFit) -> bool:
    return bool((top_classes(fitted.logits, 1)[:, 0] == fitted.labels).all())


def _rarity(fitted: CrossFit) -> float:
    """One over the training images per class, on average over held-out images."""
    parts = [(len(fold.rows), len(fold.train)) for fold in fitted.folds]
    shares = [held * fitted.support.classes / train for held, train in parts]
    return sum(shares) / sum(held for held, _ in parts)
