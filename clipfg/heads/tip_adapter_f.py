"""Tip-Adapter-F: the cache's keys are trained."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from clipfg.heads.cache_training import TrainedCache
from clipfg.heads.support import Support
from clipfg.heads.tip_adapter import TipAdapter, cache, leave_out

_FLOOR = 1e-12
"""Added to sums of affinities before their logarithm."""


@dataclass(eq=False)
class TipAdapterF(TrainedCache, TipAdapter):
    """Tip-Adapter whose keys begin as the support and minimise cross-entropy.

    On features that are embedded once, an image would find itself among the keys, and nothing
    would be left to learn; the paper has a new view of it in every epoch. Here it is left out of
    the cache that classifies it, with its group, unless its class has no other image.

    Parameters are those of `tip-adapter`, chosen before training, and of `TrainedCache`. `keys_`
    `[n, d]` are not of unit norm; the other attributes are those of `tip-adapter`.

    Source: Zhang et al. 2022, arXiv:2207.09519, section 3.3.
    """

    name: ClassVar[str] = "tip-adapter-f"

    def learn(self, support: Support) -> None:
        """Choose alpha and beta, then train the keys."""
        super().learn(support)
        keys = support.features.clone().requires_grad_()

        def logits(rows: Tensor) -> Tensor:
            x = support.features[rows]
            similar = leave_out(x @ keys.T, rows, support)
            texts = self.scale * x @ self.texts_.T
            sums = cache(similar, support.labels, self.beta_, texts)
            # Without texts the scale does not change the decision, but it does change its gradient.
            return sums.add(_FLOOR).log() if support.texts is None else texts + self.alpha_ * sums

        self.minimise([keys], support, logits)
        self.keys_ = keys.detach()
