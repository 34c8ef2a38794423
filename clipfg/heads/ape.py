"""APE: a cache on the channels that tell classes apart, sure images of it counting for less."""

from typing import ClassVar, Self

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from clipfg.functional.similarity import cosine_logits
from clipfg.heads.base import Head
from clipfg.heads.support import Support, accuracy
from clipfg.heads.tip_adapter import cache, choose_strengths, judged, leave_out

GAMMAS = (0.0, 0.1, 0.2, 0.4)


class APE(Head):
    """`logits = scale cos(x, text) + alpha sum_i exp(-beta (1 - cos'(x, x_i))) r_i onehot(y_i)`.

    `cos'` is taken over refined channels: those of the smallest `0.7 S - 0.3 V`, with `S` the mean
    product of two different classes in the channel and `V` its variance between classes. `S` and
    `V` are of the texts or, without any, of the class means. `r_i = exp(gamma KL_i)`, with `KL_i`
    how far the texts' probabilities of image `i` are from its label; 1 without texts.

    This is the form that trains nothing.

    Parameters
    ----------
    alpha, beta, gamma
        None chooses them by leaving each image of the support out in turn; with one shot they
        are 1, 5.5 and 0.
    channels
        The share of channels kept, above 0 and at most 1.
    scale
        The factor on cosines with texts.

    Attributes
    ----------
    channels_
        Positions of the channels kept, the best first.
    keys_, labels_, strengths_
        Refined unit-norm keys `[n, q]`, their classes and `alpha * r`.
    texts_
        `[c, d]`, zeros without texts.
    alpha_, beta_, gamma_
        Those in use.

    Source: Zhu et al. 2023, arXiv:2304.01195, equations 2 to 11.
    """

    name: ClassVar[str] = "ape"
    channels_: Tensor
    keys_: Tensor
    labels_: Tensor
    strengths_: Tensor
    texts_: Tensor
    alpha_: float
    beta_: float
    gamma_: float

    def __init__(
        self,
        alpha: float | None = None,
        beta: float | None = None,
        gamma: float | None = None,
        channels: float = 0.75,
        scale: float = 100.0,
    ) -> None:
        self.alpha = alpha
        self.beta = beta
        self.gamma = gamma
        self.channels = channels
        self.scale = scale

    def fit(
        self,
        features: Float[Tensor, "n d"] | None = None,
        labels: Int[Tensor, " n"] | None = None,
        text_weights: Float[Tensor, "c d"] | None = None,
    ) -> Self:
        """Choose channels and strengths. Raises as `Support.of` does."""
        support = Support.of(self.name, features, labels, text_weights)
        prior = support.means if support.texts is None else support.texts
        self.channels_ = best_channels(prior, self.channels)
        refined = Support(
            normalize(support.features[:, self.channels_], dim=1), support.labels, support.classes
        )
        self.texts_ = torch.zeros_like(prior) if support.texts is None else support.texts
        surprise = self._surprise(support)
        gammas = GAMMAS if self.gamma is None else (self.gamma,)
        gammas = gammas if support.texts is not None else (0.0,)
        best = -1.0
        for gamma in gammas:
            strengths = torch.exp(gamma * surprise)
            alpha, beta = choose_strengths(
                support, self.alpha, self.beta, self.scale, strengths, refined.features
            )
            score = self._score(support, refined, alpha * strengths, beta)
            if score > best:
                best = score
                self.alpha_, self.beta_, self.gamma_ = alpha, beta, gamma
                self.strengths_ = alpha * strengths
        self.keys_, self.labels_ = refined.features, refined.labels
        return self

    def _surprise(self, support: Support) -> Tensor:
        """`KL(label || softmax(cosines with texts))` of each image, on refined channels."""
        if support.texts is None:
            return torch.zeros(len(support), device=support.features.device)
        x, texts = (normalize(t[:, self.channels_], dim=1) for t in (support.features, self.texts_))
        shares = (self.scale * x @ texts.T).log_softmax(dim=1)
        return -shares.gather(1, support.labels[:, None])[:, 0]

    def _score(self, support: Support, refined: Support, strengths: Tensor, beta: float) -> float:
        rows = judged(support)
        if not len(rows):
            return 0.0
        similar = refined.features[rows] @ refined.features.T
        similar = leave_out(similar, rows, support.counts, support.labels)
        texts = self.scale * support.features[rows] @ self.texts_.T
        logits = texts + cache(similar, support.labels, beta, texts, strengths)
        return accuracy(logits, support.labels[rows])

    def logits(self, features: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
        """Texts and cache. Raises `UsageError` before `fit`, `DataError` for another width."""
        self.check_fitted()
        x = features.float()
        texts = cosine_logits(x, self.texts_, self.scale)
        similar = normalize(x[:, self.channels_], dim=1) @ self.keys_.T
        return texts + cache(similar, self.labels_, self.beta_, texts, self.strengths_)


def best_channels(prior: Float[Tensor, "c d"], share: float) -> Int[Tensor, " q"]:
    """The channels in which classes differ most; equations 6 to 8, with weights 0.7 and 0.3."""
    classes, width = prior.shape
    pairs = max(classes * (classes - 1), 1)
    between = (prior.sum(dim=0).square() - prior.square().sum(dim=0)) / pairs
    variance = prior.var(dim=0, correction=0)
    keep = max(1, round(share * width))
    return (0.7 * between - 0.3 * variance).argsort(stable=True)[:keep]
