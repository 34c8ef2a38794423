"""The covariance that all classes share, and how its shrinkage is judged with few pictures."""

from collections.abc import Callable, Sequence
from itertools import product

import torch
from torch import Tensor

from clipfg.functional.covariance import Spectrum, total_spectrum, within_spectrum
from clipfg.heads.support import Support, accuracy

SHRINKAGES = (0.5, 0.3, 0.7, 0.2, 0.1, 0.05, 0.9, 0.02)
"""Those tried, of equals the earlier is taken."""
ONE_SHOT = 0.9
"""With one picture a class, spread within classes is unknown: the whole support's stands in for
it, which is mostly spread between classes, and is therefore trusted little."""
TEXT_SHARES = (1.0, 0.0, 0.1, 0.3, 3.0, 10.0, 30.0, 100.0)
"""Factors on what pictures say beside texts."""
_GROUPS = (20, 5)
"""Of classes set aside in turn. With few pictures many groups, or the covariance that is judged
would come from markedly fewer than the one used; with more than `_PLENTY` a channel it is the same,
and few are quicker."""
_PLENTY = 8

Score = Callable[[Support, Spectrum, float, Tensor], Tensor]


def spectrum_of(support: Support) -> Spectrum:
    """Of the covariance within classes, or of the whole where no class has two pictures."""
    if int(support.counts.max()) < 2:
        return total_spectrum(support.features)
    return within_spectrum(support.features, support.labels, support.means)


def choose(
    support: Support,
    score: Score,
    shrinkages: Sequence[float],
    shares: Sequence[float],
    scale: float,
    seed: int,
) -> tuple[float, float]:
    """Shrinkage and factor beside the texts that name most held-out pictures rightly.

    `score(train, spectrum, shrinkage, features)` gives logits of held-out features; class means
    come from the other folds of all classes. The covariance comes from all pictures of *other
    classes* (a group of classes is set aside in turn): two shots leave one
    to train on, of which no class could tell its spread. Texts add `scale * cos`.

    With one shot or one class nothing can be held out: `ONE_SHOT` (or the only value) and 1.
    """
    options = list(product(shrinkages, shares))
    splits = support.splits(seed)
    if len(options) == 1:
        return options[0]
    if not splits or support.classes < 2:
        return (shrinkages[0] if len(shrinkages) == 1 else ONE_SHOT), shares[0]
    count = _GROUPS[len(support) > _PLENTY * support.features.shape[1]]
    groups = torch.arange(support.classes, device=support.labels.device) % count
    right = dict.fromkeys(options, 0.0)
    for group in range(min(count, support.classes)):
        others = groups[support.labels] != group
        spectrum = _spectrum_without(support, others)
        for train, held in splits:
            rows = held[~others[held]]
            if not len(rows):
                continue
            x, labels = support.features[rows], support.labels[rows]
            texts = 0 if support.texts is None else scale * x @ support.texts.T
            for shrinkage in shrinkages:
                logits = score(train, spectrum, shrinkage, x)
                for share in shares:
                    hits = accuracy(texts + share * logits, labels) * len(rows)
                    right[shrinkage, share] += hits
    return max(options, key=lambda option: right[option])


def _spectrum_without(support: Support, others: Tensor) -> Spectrum:
    x, labels = support.features[others], support.labels[others]
    if bool((support.counts[labels] > 1).any()):
        return within_spectrum(x, labels, support.means)
    return total_spectrum(support.features)  # only the classes set aside have two pictures
