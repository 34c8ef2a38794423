"""TDA: images arrive one by one, and confident ones are kept to classify the next ones.

The positive cache holds, for each class, the most confident images predicted as that class (those
of lowest entropy); the negative one holds moderately uncertain images, with the classes that they
may belong to. Logits of an image `x` with text probabilities `p`:

    logits + A sum_q exp(-B (1 - x.q)) onehot(q) - A' sum_q exp(-B' (1 - x.q)) [p_q > 0.03]

An image enters the caches before it is scored, as in the paper. There, entropy is measured over
augmented views of the image; on features embedded once there is one view.

Source: Karmanov et al. 2024, arXiv:2403.18293, equations 4 to 8 and its settings for ImageNet.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from clipfg.heads.transduction import check_pool


@dataclass(frozen=True)
class TDACache:
    """The most images that a cache holds for each class, and its weight and sharpness."""

    shots: int
    alpha: float
    beta: float


POSITIVE = TDACache(shots=3, alpha=2.0, beta=5.0)
NEGATIVE = TDACache(shots=2, alpha=0.117, beta=1.0)
UNSURE = (0.2, 0.5)
"""Entropies, as a share of the largest possible, between which an image is a negative."""
POSSIBLE = 0.03
"""The probability above which a class is marked in a negative."""


class _CacheEntries:
    """The most confident images of each predicted class, at most `shots` of each."""

    def __init__(self, kind: TDACache, classes: int, width: int) -> None:
        self.kind = kind
        self.keys = torch.zeros(classes * kind.shots, width)
        self.values = torch.zeros(classes * kind.shots, classes)
        self.entropies = torch.full((classes, kind.shots), torch.inf)

    def offer(self, label: int, entropy: float, key: Tensor, value: Tensor) -> None:
        """Keep an image if its class has room, or in place of the least confident one."""
        place = int(self.entropies[label].argmax())
        if entropy < float(self.entropies[label, place]):
            self.entropies[label, place] = entropy
            row = label * self.kind.shots + place
            self.keys[row], self.values[row] = key, value

    def logits(self, key: Tensor) -> Tensor:
        filled = torch.isfinite(self.entropies).flatten()
        similar = self.keys[filled] @ key
        near = torch.exp(-self.kind.beta * (1 - similar))
        return self.kind.alpha * (near @ self.values[filled])


def tda(features: Float[Tensor, "n d"], logits: Float[Tensor, "n c"]) -> Float[Tensor, "n c"]:
    """Logits refined in the order of the pool: each by itself and the images before it.

    Raises `DataError` for a pool of fewer than two images.
    """
    check_pool(features, logits)
    x = features.float().cpu()
    texts = logits.float().cpu()
    n, classes = texts.shape
    log_shares = texts.log_softmax(dim=1)
    shares = log_shares.exp()
    entropies = -(shares * log_shares).sum(dim=1) / math.log(max(classes, 2))
    predicted = texts.argmax(dim=1).tolist()
    positive = _CacheEntries(POSITIVE, classes, x.shape[1])
    negative = _CacheEntries(NEGATIVE, classes, x.shape[1])
    one_hot = torch.eye(classes)
    refined = texts.clone()
    for i in range(n):
        entropy, label = float(entropies[i]), predicted[i]
        positive.offer(label, entropy, x[i], one_hot[label])
        if UNSURE[0] < entropy < UNSURE[1]:
            negative.offer(label, entropy, x[i], (shares[i] > POSSIBLE).float())
        refined[i] += positive.logits(x[i]) - negative.logits(x[i])
    return refined.to(logits.device)
