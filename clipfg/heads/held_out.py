"""Logits of a head on pictures that it was not fitted on: fold by fold over its own support."""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from clipfg.heads.base import Head
from clipfg.heads.support import Support


def held_out_logits(
    make: Callable[[], Head], support: Support, seed: int = 0
) -> tuple[Float[Tensor, "n c"], Bool[Tensor, " n"]]:
    """Each picture's logits by a head fitted on the other folds, and whether it had any.

    The only picture of a class is never held out: its row is 0.
    """
    logits = torch.zeros(len(support), support.classes)
    judged = torch.zeros(len(support), dtype=torch.bool)
    for train, held in support.splits(seed):
        head = make().fit(train.features, train.labels, train.texts)
        logits[held] = head.logits(support.features[held]).float()
        judged[held] = True
    return logits, judged
