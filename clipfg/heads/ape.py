"""APE: a cache on the channels that tell classes apart, in which easy images count for less."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from clipfg.functional.similarity import cosine_logits
from clipfg.heads.few_shot import FewShotHead
from clipfg.heads.support import Support, accuracy
from clipfg.heads.tip_adapter import cache, choose_strengths, leave_out, left_out_rows

GAMMAS = (0.0, 0.1, 0.2, 0.4)


@dataclass(eq=False)
class APE(FewShotHead):
    """`logits = scale cos(x, text) + alpha sum_i exp(-beta (1 - cos'(x, x_i))) r_i onehot(y_i)`.

    `cos'` is taken over refined channels: those of the smallest `0.7 S - 0.3 V`, with `S` the mean
    product of two different classes in the channel and `V` its variance between classes. `S` and
    `V` are of the texts or, without any, of the class means. `r_i = exp(gamma KL_i)`, with `KL_i`
    the divergence of image `i`'s label from its probabilities by the texts; 1 without texts.

    This form trains nothing.

    Parameters
    ----------
    alpha, beta, gamma
        None chooses them by leaving out each image of the support in turn, with its group; with one
        shot they are 1, 5.5 and 0.
    channels
        The share of channels kept, above 0 and at most 1.

    Attributes
    ----------
    channels_
        Positions of the channels kept, the best first.
    keys_, labels_, strengths_
        Refined unit-norm keys `[n, q]`, their classes and `alpha * r`.

    Source: Zhu et al. 2023, arXiv:2304.01195, equations 2 to 11.
    """

    name: ClassVar[str] = "ape"

    alpha: float | None = None
    beta: float | None = None
    gamma: float | None = None
    channels: float = 0.75
    scale: float = 100.0

    def learn(self, support: Support) -> None:
        """Choose channels and strengths."""
        self.texts_, self.labels_ = support.texts_or_zeros, support.labels
        self.channels_ = best_channels(
            support.means if support.texts is None else support.texts, self.channels
        )
        self.keys_ = self._refine(support.features)
        divergence = self._divergence(support)
        gammas = GAMMAS if self.gamma is None else (self.gamma,)
        best = -1.0
        for gamma in gammas if support.texts is not None else (0.0,):
            strengths = torch.exp(gamma * divergence)
            alpha, beta = choose_strengths(
                support, self.alpha, self.beta, self.scale, strengths, self.keys_
            )
            score = self._left_out_accuracy(support, alpha * strengths, beta)
            if score > best:
                best, self.alpha_, self.beta_, self.gamma_ = score, alpha, beta, gamma
                self.strengths_ = alpha * strengths

    def _refine(self, x: Tensor) -> Tensor:
        return normalize(x[:, self.channels_], dim=1)

    def _divergence(self, support: Support) -> Tensor:
        """`KL(label || softmax(cosines with texts))` of each image, on refined channels."""
        if support.texts is None:
            return torch.zeros(len(support), device=support.features.device)
        log_shares = (self.scale * self.keys_ @ self._refine(self.texts_).T).log_softmax(dim=1)
        return -log_shares.gather(1, support.labels[:, None])[:, 0]

    def _left_out_accuracy(self, support: Support, strengths: Tensor, beta: float) -> float:
        rows = left_out_rows(support)
        if not len(rows):
            return 0.0
        similar = leave_out(self.keys_[rows] @ self.keys_.T, rows, support)
        texts = self.scale * support.features[rows] @ self.texts_.T
        logits = texts + cache(similar, support.labels, beta, texts, strengths)
        return accuracy(logits, support.labels[rows])

    def score(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
        """Texts and cache."""
        texts = cosine_logits(x, self.texts_, self.scale)
        similar = self._refine(x) @ self.keys_.T
        return texts + cache(similar, self.labels_, self.beta_, texts, self.strengths_)


def best_channels(prior: Float[Tensor, "c d"], share: float) -> Int[Tensor, " q"]:
    """The channels in which classes differ most; equations 6 to 8, with weights 0.7 and 0.3."""
    classes, width = prior.shape
    pairs = max(classes * (classes - 1), 1)
    between = (prior.sum(dim=0).square() - prior.square().sum(dim=0)) / pairs
    variance = prior.var(dim=0, correction=0)
    keep = max(1, round(share * width))
    return (0.7 * between - 0.3 * variance).argsort(stable=True)[:keep]
