"""Auto: two heads that learn from images, weighed against the texts by likelihood."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipfg.functional.similarity import cosine_logits
from clipfg.heads.base import HEADS
from clipfg.heads.few_shot import FewShotHead
from clipfg.heads.support import Support, accuracy
from clipfg.heads.text_weighting import factors, spread, spread_of_others

MEMBERS = ("whitened-mean", "kernel-ridge")
"""Heads with a method `images`, which scores images without the texts' own term."""
FEW = 4
"""Shots below which a fold trains on so few images that it would judge a different problem; the
whitened mean is used alone then."""
LARGE = 8192
"""Images above which kernel ridge regression takes longer than all else, and a GiB of memory."""


@dataclass(eq=False)
class Auto(FewShotHead):
    """`logits = tau cos(x, text) + beta mean over the members of their scores / spread`.

    Members are the whitened mean and kernel ridge regression on its directions, at the shrinkage
    that the first chooses. Both are there always: a choice between them by held-out images gained
    nothing. If the largest class has fewer than four images, or there are very many images, the
    whitened mean is used alone.

    A head's spread is the deviation of its scores within rows, over all held-out images: one
    number, since an image whose scores lie close together is an uncertain one.

    The factors are those at which the held-out images are likeliest, so that uninformative texts
    get no weight and excellent ones are not drowned out by a few shots. A class mean of `k` images
    errs by `1/k` of the spread within classes, and log-odds shrink by `1 + 1/k`: `beta` is measured
    with the images that a fold leaves, and enlarged accordingly. Texts have learnt from no image:
    with one shot, `tau` is measured on the support itself and `beta` is `text_weighting.ONE_SHOT`.

    `seed` is that of the folds, including those of the members.

    Attributes
    ----------
    members_
        Names of the heads in use.
    held_out_
        Accuracy of their mean on held-out images, without texts; -1 where none were held out.
    tau_, beta_
        The factors on texts and on images.
    spreads_
        Of the heads in use.
    shots_
        Training images per class, on average.

    What the members have learnt follows as `m0_...`, `m1_...`.

    Source: this project's; factors as in Platt 1999.
    """

    name: ClassVar[str] = "auto"

    seed: int = 0

    def learn(self, support: Support) -> None:
        """Choose heads and fit them on the whole support."""
        alone = int(support.counts.max()) < FEW or len(support) > LARGE
        heads: dict[str, Any] = {}
        for name in MEMBERS[: 1 if alone else None]:
            shared = heads[MEMBERS[0]].shrinkage_ if heads else None
            head: Any = HEADS.get(name)(**{"seed": self.seed, "alpha": 1.0, "shrinkage": shared})
            heads[name] = head.fit(
                support.features, support.labels, support.texts, groups=support.groups
            )
        rows = support.validation_rows(self.seed)
        held_out = [own.held_out(support, rows) for own in heads.values()]
        if len(rows):
            self.spreads_ = [spread(scores) for scores in held_out]
        else:
            self.spreads_ = [spread_of_others(own.images(support.means)) for own in heads.values()]
        blend = _mean(held_out, self.spreads_)
        self.held_out_ = accuracy(blend, support.labels[rows]) if len(rows) else -1.0
        self.tau_, self.beta_ = factors(support, blend, rows)
        self._keep(support, list(heads), [own.fitted for own in heads.values()])

    def refit(
        self,
        features: Float[Tensor, "n d"] | None = None,
        labels: Int[Tensor, " n"] | None = None,
        text_weights: Float[Tensor, "c d"] | None = None,
    ) -> "Auto":
        """The same blend of heads, with their settings, fitted on other images.

        `beta` follows the number of images, as log-odds do.
        """
        support = Support.of(self.name, features, labels, text_weights)
        other = type(self)(**self.config)
        other.held_out_, other.tau_, other.spreads_ = self.held_out_, self.tau_, self.spreads_
        shots = len(support) / support.classes
        other.beta_ = self.beta_ * (1 + 1 / self.shots_) / (1 + 1 / shots)
        places = range(len(self.members_))
        members = [
            self._member(i).refit(support.features, support.labels, support.texts) for i in places
        ]
        other._keep(support, self.members_, [member.fitted for member in members])
        return other

    def _keep(
        self, support: Support, names: Sequence[str], fitted: Sequence[dict[str, Any]]
    ) -> None:
        self.members_, self.shots_ = list(names), len(support) / support.classes
        self.texts_ = support.texts_or_zeros
        for position, attributes in enumerate(fitted):
            for key, value in attributes.items():
                setattr(self, f"m{position}_{key}", value)

    def _member(self, position: int) -> Any:
        head = HEADS.get(self.members_[position])()
        prefix = f"m{position}_"
        for key, value in self.fitted.items():
            if key.startswith(prefix):
                setattr(head, key.removeprefix(prefix), value)
        return head

    def score(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
        """Blended scores."""
        texts = cosine_logits(x, self.texts_, self.tau_)
        scores = [self._member(i).images(x) for i in range(len(self.members_))]
        return texts + self.beta_ * _mean(scores, self.spreads_)


def _mean(scores: Sequence[Tensor], spreads: Sequence[float]) -> Tensor:
    parts = [own / spread for own, spread in zip(scores, spreads, strict=True)]
    return torch.stack(parts).mean(dim=0)
