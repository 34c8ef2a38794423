"""Nearest neighbours: the support's closest images vote, beside the texts."""

from dataclasses import dataclass
from itertools import product
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from clipfg.errors import UsageError
from clipfg.functional.similarity import cosine_logits, top_classes
from clipfg.heads.few_shot import FewShotHead
from clipfg.heads.support import Support, accuracy

KS = (1, 3, 5, 9, 15)
SHARES = (0.3, 0.5, 0.1, 0.7, 0.0, 0.9, 1.0)
"""Candidate shares of the texts; of equally good ones the earlier is taken."""
ONE_SHOT = 0.7
"""The share where no class has two images: up to 0.5 a single vote cannot be overruled."""
_CELLS = 32_000_000  # similarities held at once: 128 MB
_FLOOR = 1e-6  # the share of votes of a class that has none


@dataclass(eq=False)
class KNN(FewShotHead):
    """`logits = log((1 - alpha) votes + alpha softmax(scale cos(x, text)))`.

    `votes` are shares of the k nearest images; without texts `alpha` is 0. The images may as
    well be the keys of a store or a coreset. Of equally similar images the earlier one in the
    support is nearer, of equal votes the class of lower index wins.

    Parameters
    ----------
    k
        Neighbours that vote. None chooses among 1, 3, 5, 9 and 15 by seeded folds of the support
        (the smallest of equally good ones), and takes 1 where no class has two images.
    alpha
        The share of the texts, from 0 to 1. None chooses it with `k`, and takes 0.7 where no class
        has two images.
    weights
        `"vote"`: each counts 1. `"softmax"`: each counts `exp(cos / temperature)`.
    temperature
        Of that softmax.

    Attributes
    ----------
    keys_, labels_, classes_
        The support, and the number of classes.

    Source: the mixture of neighbours' votes with a model's own probabilities is that of Khandelwal
    et al. 2020, arXiv:1911.00172, equation 3.
    """

    name: ClassVar[str] = "knn"

    k: int | None = None
    alpha: float | None = None
    weights: Literal["vote", "softmax"] = "softmax"
    temperature: float = 0.02
    scale: float = 100.0
    seed: int = 0

    def learn(self, support: Support) -> None:
        """Keep the support and choose `k` and `alpha`.

        Raises `UsageError` for a `k` below 1, an `alpha` outside 0 to 1 or unknown `weights`.
        """
        if (self.k is not None and self.k < 1) or self.weights not in ("vote", "softmax"):
            raise UsageError(
                "Expected a k of at least 1 and weights 'vote' or 'softmax', got"
                f" {self.k} and {self.weights!r}."
            )
        if self.alpha is not None and not 0 <= self.alpha <= 1:
            raise UsageError(f"Expected an alpha from 0 to 1, got {self.alpha}.")
        k, self.alpha_ = self._choose(support)
        self.keys_, self.labels_ = support.features, support.labels
        self.classes_, self.k_ = support.classes, min(k, len(support))
        self.texts_ = support.texts_or_zeros

    def _choose(self, support: Support) -> tuple[int, float]:
        ks = KS if self.k is None else (self.k,)
        shares = SHARES if self.alpha is None else (self.alpha,)
        if support.texts is None:
            shares = (0.0,)
        splits = support.splits(self.seed)
        if not splits:
            return ks[0], shares[0] if len(shares) == 1 else ONE_SHOT
        right = dict.fromkeys(product(ks, shares), 0.0)
        validation = support.validation_rows(self.seed)
        for train, held in splits if len(right) > 1 else ():
            for rows in held[torch.isin(held, validation)].split(max(1, _CELLS // len(train))):
                x, truth = support.features[rows], support.labels[rows]
                similar = x @ train.features.T
                nearest = top_classes(similar, min(ks[-1], len(train)))
                for k in ks:
                    votes = self._vote(similar, nearest[:, :k], train.labels, support.classes)
                    by_text = votes if support.texts is None else self._by_text(x, support.texts)
                    for alpha in shares:
                        mixed = torch.lerp(votes, by_text, alpha)
                        right[k, alpha] += accuracy(mixed, truth) * len(rows)
        return max(right, key=lambda option: right[option])

    def _by_text(self, x: Tensor, texts: Tensor) -> Tensor:
        return cosine_logits(x, texts, self.scale).softmax(dim=1)

    def _vote(self, similar: Tensor, nearest: Tensor, labels: Tensor, classes: int) -> Tensor:
        cosines = similar.gather(1, nearest)
        if self.weights == "vote":
            votes = torch.full_like(cosines, 1 / cosines.shape[1])
        else:
            votes = (cosines / self.temperature).softmax(dim=1)
        shares = similar.new_zeros(len(similar), classes)
        return shares.scatter_add(1, labels[nearest], votes)

    def score(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
        """Logarithms of the mixed shares; classes without any share a floor."""
        similar = cosine_logits(x, self.keys_)
        shares = self._vote(similar, top_classes(similar, self.k_), self.labels_, self.classes_)
        if self.alpha_ > 0:
            shares = torch.lerp(shares, self._by_text(x, self.texts_), self.alpha_)
        return shares.add(_FLOOR).log()
