"""A head on patches for the contract's own tests: the nearest class mean of mean patches."""

from typing import ClassVar

import torch

from clipfg.errors import DataError
from clipfg.functional.similarity import cosine_logits, unit_norm
from clipfg.heads.base import FeatureSets, Head


class PatchMean(Head[FeatureSets]):
    name: ClassVar[str] = "patch-mean"
    consumes = "patches"

    def __init__(self, scale: float = 100.0) -> None:
        self.scale = scale

    def fit(self, features=None, labels=None, text_weights=None):
        means = self.pool(features)
        counts = torch.bincount(labels, minlength=len(text_weights))
        if not counts.all():
            missing = int((counts == 0).nonzero()[0])
            raise DataError(f"Expected images of every class, got none of class {missing}.")
        sums = torch.zeros(len(counts), means.shape[1]).index_add_(0, labels, means)
        self.weights_ = unit_norm(sums / counts[:, None])
        return self

    def logits(self, features):
        self.check_fitted()
        return cosine_logits(self.pool(features), self.weights_, self.scale)

    @staticmethod
    def pool(features: FeatureSets) -> torch.Tensor:
        """The mean row of each set, scaled to unit norm."""
        lengths = features.offsets.diff()
        owners = torch.arange(len(features)).repeat_interleave(lengths)
        sums = torch.zeros(len(features), features.rows.shape[1])
        return unit_norm(sums.index_add_(0, owners, features.rows) / lengths[:, None])
