"""Out-of-distribution detection: a score for unknown classes, chosen on held-out classes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Self

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from clipfg.confidence.unseen_classes import UnseenClassTrial, without_classes
from clipfg.functional import novelty
from clipfg.functional.segments import segment_sum
from clipfg.functional.similarity import confidence, unit_norm
from clipfg.heads import FeatureSets, Head
from clipfg.heads.items import Items
from clipfg.heads.support import Support

SCORES = ("softmax", "energy", "concept-softmax", "neighbour")
"""The head's largest probability; its energy; MCM on cosines with class texts or means; the cosine
with the nearest image of the support. Of bags, features are the means of their instances."""
BAG_SCORES = (*SCORES, "instances")
"""Of bags also the mean, over the instances, of the cosine with the nearest known instance."""
MOST = 8192
"""Known instances that are compared with, drawn from all."""


def score(
    name: str,
    logits: Float[Tensor, "n c"],
    features: Float[Tensor, "n d"] | FeatureSets,
    reference: Float[Tensor, "m d"],
) -> Float[Tensor, " n"]:
    """One of `SCORES`, or of `BAG_SCORES` for bags, larger for known classes.

    `logits` are calibrated.
    """
    if isinstance(features, FeatureSets):
        if name == "instances":
            near = novelty.neighbour_cosine(normalize(features.rows.float()), reference)
            sizes = features.offsets.diff()
            return segment_sum(near[:, None], features.offsets)[:, 0] / sizes
        features = features.means
    if name == "softmax":
        return confidence(logits)
    if name == "energy":
        return novelty.energy(logits)
    if name == "concept-softmax":
        return novelty.max_concept_softmax(features, reference)
    return novelty.neighbour_cosine(features.float(), reference)


def reference_of(name: str, support: Support) -> Float[Tensor, "m d"]:
    """What a score compares features with; no rows for scores of logits."""
    if name == "neighbour":
        return support.features
    if name == "instances" and support.bags is not None:
        rows = support.bags.rows
        drawn = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))[:MOST]
        return normalize(rows[drawn].float())
    if name == "concept-softmax":
        return unit_norm(support.means) if support.texts is None else support.texts
    return support.features[:0]


class OODInputs(NamedTuple):
    """Held-out images of known classes, and the training set of the head that scores them."""

    logits: Float[Tensor, "n c"]
    """Calibrated."""
    features: Float[Tensor, "n d"] | FeatureSets
    train: Support


@dataclass(frozen=True)
class OODDetector:
    """A score, and its values on held-out images of known classes.

    `score` is the one of `SCORES` or `BAG_SCORES` that is best at detecting held-out classes,
    `known` are its values, and `reference` is what it compares features with. `aurocs` are those of
    every score, averaged over groups of held-out classes; none where no class can be left out.
    """

    score: str
    known: Float[Tensor, " n"]
    reference: Float[Tensor, "m d"]
    aurocs: Mapping[str, float]

    @classmethod
    def fit(
        cls,
        head: Head,
        support: Support,
        seen: Iterable[OODInputs],
        factor: float,
        seed: int,
        trials: list[UnseenClassTrial] | None = None,
    ) -> Self:
        """Choose the score, and keep its values on the images `seen`.

        `factor` calibrates the head's logits. The nearest image, or the nearest instances, are
        taken where no class can be left out to choose by.
        """
        names = SCORES if support.bags is None else BAG_SCORES
        trials = without_classes(head, support, seed) if trials is None else trials
        tried = names if trials else ()
        aurocs = {name: held_out_auroc(name, trials, support, factor) for name in tried}
        best = max(tried, key=lambda name: aurocs[name], default=names[-1])
        known = [score(best, z, x, reference_of(best, train)) for z, x, train in seen]
        return cls(best, torch.cat(known), reference_of(best, support), aurocs)

    def familiarity(
        self, logits: Float[Tensor, "n c"], features: Float[Tensor, "n d"] | FeatureSets
    ) -> Float[Tensor, " n"]:
        """The share of known images that are no more familiar, from 0 to 1."""
        values = score(self.score, logits, features, self.reference)
        return novelty.familiarity(values, self.known)


def trial_scores(
    name: str, trial: UnseenClassTrial, items: Items, factor: float
) -> Float[Tensor, " n"]:
    """A score of images by the head of a trial, whose logits `factor` calibrates."""
    logits = factor * trial.head.logits(items.given_to(type(trial.head)))
    return score(name, logits, items.compared, reference_of(name, trial.train))


def held_out_auroc(
    name: str, trials: list[UnseenClassTrial], support: Support, factor: float
) -> float:
    """How well a score tells images of left-out classes from held-out ones of the others."""
    values = []
    for trial in trials:
        known, unknown = (
            trial_scores(name, trial, support.items[rows], factor)
            for rows in (trial.familiar, trial.strange)
        )
        values.append(novelty.auroc(known, unknown))
    return sum(values) / len(values)


def auroc_on(
    name: str,
    trials: list[UnseenClassTrial],
    items: Items,
    labels: Int[Tensor, " n"],
    factor: float,
) -> float | None:
    """The same on other labelled images; None if no trial has both known and unknown ones."""
    values = []
    for trial in trials:
        known = torch.isin(labels, trial.known)
        if known.any() and not known.all():
            scores = trial_scores(name, trial, items, factor)
            values.append(novelty.auroc(scores[known], scores[~known]))
    return sum(values) / len(values) if values else None
