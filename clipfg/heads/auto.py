"""Auto: a blend of heads that learn from images, weighed against the texts by likelihood."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipfg.functional.similarity import cosine_logits
from clipfg.heads.base import HEADS, Head
from clipfg.heads.few_shot import FewShotHead
from clipfg.heads.support import Support, about_as_good
from clipfg.heads.text_weighting import factors, spread, spread_of_others

MEMBERS = ("whitened-mean", "gda", "linear-probe")
"""Heads with a method `held_out`, which scores images of the support as if not seen."""
FEW = 4
"""Shots below which a fold trains on so few images that it would judge a different problem.

The whitened mean is used alone then: on supports drawn from four data sets, blends of it with
linear-probe, tip-adapter-f or prolip gained on some of them at one to three shots and lost on
others."""
_LARGE = 2e6
"""Images times classes above which a linear probe takes minutes, and in the end all memory."""


@dataclass(eq=False)
class Auto(FewShotHead):
    """`logits = tau cos(x, text) + beta mean over the chosen heads of their logits / spread`.

    Each member first chooses its own settings on the support, from images alone. With those
    fixed, every subset of members is judged by how many images its blend classifies correctly, each
    image held out in its fold. Of those within one standard error of the best, paired image by
    image, the smallest is taken, then the earliest in the order of `MEMBERS`. If the largest class
    has fewer than four images, the whitened mean is used alone; with very many images and classes
    the linear probe is excluded.

    A head's spread is the deviation of its logits within rows, over all held-out images: one
    number, since an image whose logits lie close together is an uncertain one.

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
        Accuracy of their blend on held-out images, without texts; -1 where none were held out.
    tau_, beta_
        The factors on texts and on images.
    spreads_
        Of the heads in use.
    shots_
        Training images per class, on average.

    What the members have learnt follows as `m0_...`, `m1_...`.

    Source: this project's; blends by held-out accuracy as in Caruana et al. 2004, the rule of one
    standard error as in Breiman et al. 1984, factors as in Platt 1999.
    """

    name: ClassVar[str] = "auto"

    seed: int = 0

    def learn(self, support: Support) -> None:
        """Choose heads and fit them on the whole support."""
        few = int(support.counts.max()) < FEW
        large = len(support) * support.classes > _LARGE
        names = MEMBERS[: 1 if few else 2 if large else None]
        heads: dict[str, Any] = {name: HEADS.get(name)(**{"seed": self.seed}) for name in names}
        for head in heads.values():
            head.fit(support.features, support.labels, groups=support.groups)
        rows = support.validation_rows(self.seed)
        held_out = {name: head.held_out(support, rows) for name, head in heads.items()}
        if len(rows):
            spreads = {name: spread(logits) for name, logits in held_out.items()}
        else:
            of_means = {name: head.logits(support.means) for name, head in heads.items()}
            spreads = {name: spread_of_others(logits) for name, logits in of_means.items()}
        scores = {name: logits / spreads[name] for name, logits in held_out.items()}
        chosen, self.held_out_ = _best_blend(scores, support.labels[rows])
        self.tau_, self.beta_ = factors(support, _blend(scores, chosen), rows)
        self.spreads_ = [spreads[name] for name in chosen]
        self._keep(support, chosen, [heads[name].fitted for name in chosen])

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
        members = [self._member(i).refit(support.features, support.labels) for i in places]
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

    def _member(self, position: int) -> Head:
        head = HEADS.get(self.members_[position])()
        prefix = f"m{position}_"
        for key, value in self.fitted.items():
            if key.startswith(prefix):
                setattr(head, key.removeprefix(prefix), value)
        return head

    def score(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
        """Blended scores."""
        parts = [self._member(i).logits(x) / own for i, own in enumerate(self.spreads_)]
        texts = cosine_logits(x, self.texts_, self.tau_)
        return texts + self.beta_ * torch.stack(parts).mean(dim=0)


def _best_blend(scores: dict[str, Tensor], labels: Tensor) -> tuple[tuple[str, ...], float]:
    """The first subset about as good as the best, and its accuracy."""
    if not len(labels):
        return tuple(scores)[:1], -1.0
    subsets = [c for size in range(1, len(scores) + 1) for c in combinations(scores, size)]
    hits = torch.stack([_blend(scores, c).argmax(dim=1) == labels for c in subsets])
    chosen = int(about_as_good(hits).int().argmax())  # the first
    return subsets[chosen], float(hits[chosen].double().mean())


def _blend(scores: dict[str, Tensor], subset: tuple[str, ...]) -> Tensor:
    return torch.stack([scores[name] for name in subset]).mean(dim=0)
