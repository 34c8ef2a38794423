"""APE-T: APE whose classes learn a residual, shared by their text and their images."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import normalize

from clipfg.heads.ape import APE
from clipfg.heads.cache_training import TrainedCache
from clipfg.heads.support import Support
from clipfg.heads.tip_adapter import cache, leave_out

_FLOOR = 1e-12
"""The smallest sum of affinities of which a logarithm is taken."""


@dataclass(eq=False)
class APET(TrainedCache, APE):
    """APE with `t_k + r_k` for texts, `x_i + r_y` for keys, and trained strengths of keys.

    `r` of shape `[c, q]` lives on the refined channels and begins at 0; texts and keys stay at unit
    norm. It and the strengths minimise cross-entropy on the support, where each image is left out
    of the cache that classifies it, unless its class has no other. (The paper has a new view of
    the image in every epoch, and takes the best epoch.)

    Parameters are those of `ape`, chosen before training, and of `TrainedCache`. Attributes are
    those of `ape`; `keys_`, `texts_` and `strengths_` are trained.

    Source: Zhu et al. 2023, arXiv:2304.01195, section 3.3.
    """

    name: ClassVar[str] = "ape-t"

    def learn(self, support: Support) -> None:
        """Choose as APE does, then train."""
        super().learn(support)
        keys, texts, strengths = self.keys_, self.texts_, self.strengths_
        residuals = keys.new_zeros(support.classes, keys.shape[1]).requires_grad_()
        factors = torch.ones_like(strengths, requires_grad=True)

        def moved_keys() -> Tensor:
            return normalize(keys + residuals[support.labels], dim=1)

        def moved_texts() -> Tensor:
            if support.texts is None:
                return texts
            return normalize(texts.index_add(1, self.channels_, residuals), dim=1)

        def logits(rows: Tensor) -> Tensor:
            similar = leave_out(keys[rows] @ moved_keys().T, rows, support)
            from_texts = self.scale * support.features[rows] @ moved_texts().T
            sums = cache(similar, support.labels, self.beta_, from_texts, strengths * factors)
            # Without texts the scale does not change the decision, but it does change its gradient.
            return sums.clamp_min(_FLOOR).log() if support.texts is None else from_texts + sums

        if self.minimise([residuals, factors], support, logits):
            with torch.no_grad():
                self.keys_, self.texts_ = moved_keys(), moved_texts()
                self.strengths_ = strengths * factors
