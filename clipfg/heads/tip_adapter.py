"""Tip-Adapter: texts, and a cache of the support's images that vote for their classes."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from clipfg.functional.similarity import cosine_logits
from clipfg.heads.few_shot import FewShotHead
from clipfg.heads.support import MAX_VALIDATION, Support, accuracy

BETAS = (5.5, 1.0, 2.0, 10.0, 20.0, 40.0, 80.0)
ALPHAS = (1.0, 0.0, 0.3, 3.0, 10.0, 30.0, 100.0)


@dataclass(eq=False)
class TipAdapter(FewShotHead):
    """`logits = scale * cos(x, text) + alpha * sum_i exp(-beta (1 - cos(x, x_i))) onehot(y_i)`.

    Without texts only the second term remains. At alpha 0 it is zero-shot; without texts, the
    larger beta is, the more the nearest image decides.

    Parameters
    ----------
    alpha, beta
        None chooses them by leaving out each image of the support in turn, with its group. With one
        shot no other image of the class is left, and they are 1 and 5.5 as in the paper; alpha is 1
        without texts.

    Attributes
    ----------
    keys_, labels_
        The support `[n, d]` and its classes.

    Source: Zhang et al. 2022, arXiv:2207.09519, equations 4 to 6.
    """

    name: ClassVar[str] = "tip-adapter"

    alpha: float | None = None
    beta: float | None = None
    scale: float = 100.0

    def learn(self, support: Support) -> None:
        """Keep the support and choose alpha and beta."""
        self.alpha_, self.beta_ = choose_strengths(support, self.alpha, self.beta, self.scale)
        self.keys_, self.labels_ = support.features, support.labels
        self.texts_ = support.texts_or_zeros

    def score(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
        """Texts and cache."""
        texts = cosine_logits(x, self.texts_, self.scale)
        return texts + self.alpha_ * cache(x @ self.keys_.T, self.labels_, self.beta_, texts)


def cache(
    similar: Tensor, labels: Tensor, beta: float, like: Tensor, strengths: Tensor | None = None
) -> Tensor:
    """`sum_i r_i exp(-beta (1 - cos_i)) onehot(y_i)`, in the shape of the logits `like`.

    `strengths` are `r`, all 1 by default.
    """
    near = torch.exp(-beta * (1 - similar))
    near = near if strengths is None else near * strengths
    return torch.zeros_like(like).index_add(1, labels, near)


def leave_out(similar: Tensor, rows: Tensor, support: Support) -> Tensor:
    """Similarities in which nothing of an image's group is near it, unless its class has no other.

    Without groups that is the image itself.
    """
    own = support.together[rows, None] == support.together
    return similar.masked_fill(own & support.replaceable[rows, None], -torch.inf)


def left_out_rows(support: Support) -> Tensor:
    """Positions of images that can be left out, evenly thinned out to `MAX_VALIDATION`."""
    rows = support.replaceable.nonzero().flatten()
    return rows[:: -(-len(rows) // MAX_VALIDATION)] if len(rows) else rows


def choose_strengths(
    support: Support,
    alpha: float | None,
    beta: float | None,
    scale: float,
    strengths: Tensor | None = None,
    keys: Tensor | None = None,
) -> tuple[float, float]:
    """The alpha and beta that classify most left-out images correctly; given ones are kept.

    `strengths` weigh the keys, which are the support's features unless others are given.
    """
    betas = BETAS if beta is None else (beta,)
    alphas = (1.0,) if support.texts is None else ALPHAS
    alphas = alphas if alpha is None else (alpha,)
    rows = left_out_rows(support)
    if not len(rows) or len(betas) * len(alphas) == 1:
        return alphas[0], betas[0]
    x, labels = support.features[rows], support.labels[rows]
    keys = support.features if keys is None else keys
    similar = leave_out(keys[rows] @ keys.T, rows, support)
    texts = scale * x @ support.texts_or_zeros.T
    right: dict[tuple[float, float], float] = {}
    for one_beta in betas:
        sums = cache(similar, support.labels, one_beta, texts, strengths)
        for one_alpha in alphas:
            right[one_alpha, one_beta] = accuracy(texts + one_alpha * sums, labels)
    return max(right, key=lambda option: right[option])
