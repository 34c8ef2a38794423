"""Nearest neighbours: the support's closest pictures vote."""

from typing import ClassVar, Literal, Self

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipfg.errors import UsageError
from clipfg.functional.similarity import cosine_logits, top_classes
from clipfg.heads.base import Head
from clipfg.heads.support import Support, accuracy

KS = (1, 3, 5, 9, 15)
_FLOOR = 1e-6  # the share of votes of a class that has none


class KNN(Head):
    """`logits = log(share of the k nearest pictures' votes)`; texts teach it nothing.

    Of equally similar pictures the earlier of the support is the nearer one, of equal votes the
    class of lower index wins.

    Parameters
    ----------
    k
        Neighbours that vote. None chooses among 1, 3, 5, 9 and 15 by seeded folds of the support
        (the smallest of equals), and takes 1 where no class has two pictures.
    weights
        `"vote"`: each counts one. `"softmax"`: each counts `exp(cos / temperature)`.
    temperature
        Of the softmax.
    seed
        Of the folds.

    Attributes
    ----------
    keys_, labels_, classes_, k_
        The support, the number of classes, and the neighbours in use.
    """

    name: ClassVar[str] = "knn"
    keys_: Tensor
    labels_: Tensor
    classes_: int
    k_: int

    def __init__(
        self,
        k: int | None = None,
        weights: Literal["vote", "softmax"] = "softmax",
        temperature: float = 0.02,
        seed: int = 0,
    ) -> None:
        self.k = k
        self.weights = weights
        self.temperature = temperature
        self.seed = seed

    def fit(
        self,
        features: Float[Tensor, "n d"] | None = None,
        labels: Int[Tensor, " n"] | None = None,
        text_weights: Float[Tensor, "c d"] | None = None,
    ) -> Self:
        """Keep the support and choose `k`.

        Raises `UsageError` for a `k` below 1 or unknown `weights`, and as `Support.of` does.
        """
        if (self.k is not None and self.k < 1) or self.weights not in ("vote", "softmax"):
            raise UsageError(
                "Expected a k from 1 and weights 'vote' or 'softmax', got"
                f" {self.k} and {self.weights!r}."
            )
        support = Support.of(self.name, features, labels, text_weights)
        k = self._choose(support) if self.k is None else self.k
        self.keys_, self.labels_ = support.features, support.labels
        self.classes_, self.k_ = support.classes, min(k, len(support))
        return self

    def _choose(self, support: Support) -> int:
        right = dict.fromkeys(KS, 0.0)
        for train, held in support.splits(self.seed):
            similar = support.features[held] @ train.features.T
            nearest = top_classes(similar, min(KS[-1], len(train)))
            for k in KS:
                logits = self._vote(similar, nearest[:, :k], train.labels, support.classes)
                right[k] += accuracy(logits, support.labels[held]) * len(held)
        return max(KS, key=lambda k: right[k])

    def _vote(self, similar: Tensor, nearest: Tensor, labels: Tensor, classes: int) -> Tensor:
        cosines = similar.gather(1, nearest)
        if self.weights == "vote":
            votes = torch.full_like(cosines, 1 / cosines.shape[1])
        else:
            votes = (cosines / self.temperature).softmax(dim=1)
        shares = similar.new_zeros(len(similar), classes)
        return shares.scatter_add(1, labels[nearest], votes).add(_FLOOR).log()

    def logits(self, features: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
        """Logarithms of the shares of votes; classes without one have all the same.

        Raises `UsageError` before `fit`, `DataError` for features of another width.
        """
        self.check_fitted()
        similar = cosine_logits(features.float(), self.keys_)
        nearest = top_classes(similar, self.k_)
        return self._vote(similar, nearest, self.labels_, self.classes_)
