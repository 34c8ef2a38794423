"""One answer for all pictures of one thing, with a confidence of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from clipfg.confidence.confidence import FOLDS, Confidence
from clipfg.functional.group_logits import RULES, GroupLogits, group_logits
from clipfg.functional.scaling import fit_temperature
from clipfg.functional.similarity import top_classes
from clipfg.heads import Head
from clipfg.heads.held_out import CrossFit
from clipfg.heads.support import Support


@dataclass(frozen=True)
class GroupAnswers:
    """How the pictures of a group become one answer, and how far it can be trusted.

    `rule` is one of `RULES`, `factor` what calibrates a picture's logits before it is applied.
    `confidence` is that of groups that were held out whole; None without labels. `right` are the
    shares of those groups that each rule answered correctly.
    """

    rule: str = RULES[0]
    factor: float = 1.0
    confidence: Confidence | None = None
    right: Mapping[str, float] | None = None

    @classmethod
    def fit(
        cls, head: Head, support: Support, seed: int, factor: float | None = None
    ) -> Self | None:
        """Choose the rule on folds of `support`, by the share of groups answered correctly.

        Of equally good rules the one with the lower negative log-likelihood is taken. `factor` is
        what calibrates the head itself, by default that of its folds. Groups of several labels
        have no one answer and do not count; None where no group is left that can be held out.
        """
        fitted = CrossFit.of(head, support, seed)
        if not fitted.folds:
            return None
        rows = fitted.order.sort().values
        labels, numbers = support.labels[rows], support.together[rows]
        kept = _of_one_label(labels, numbers)
        if not kept.any():
            return None
        labels, logits = labels[kept], fitted.factor * fitted.logits[kept]
        names, group = numbers[kept].unique(return_inverse=True)
        truth = labels.new_zeros(len(names)).scatter(0, group, labels)
        found = {rule: _judged(group_logits(logits, group, rule), truth) for rule in RULES}
        scores = {
            rule: (float(one.hits.double().mean()), one.log_own) for rule, one in found.items()
        }
        rule = max(RULES, key=scores.__getitem__)
        best = found[rule]
        confidence = Confidence(
            best.factor, best.certainty, best.hits, best.own, truth, support.classes, FOLDS
        )
        right = {name: share for name, (share, _) in scores.items()}
        return cls(rule, fitted.factor if factor is None else factor, confidence, right)

    def start(self, groups: int, classes: int) -> GroupLogits:
        """What takes in pictures' logits times `factor`."""
        return GroupLogits(self.rule, groups, classes)

    def to_fields(self) -> dict[str, Any]:
        """Plain values and tensors, for `save_head(..., extras={"groups": ...})`."""
        own = {"rule": self.rule, "factor_of_pictures": self.factor, "right": self.right}
        return own | (self.confidence.to_fields() if self.confidence else {})

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Self:
        """The inverse of `to_fields`. Raises `DataError` for anything else."""
        confidence = Confidence.from_fields(fields)
        return cls(
            fields.get("rule", RULES[0]),
            fields.get("factor_of_pictures", 1.0),
            confidence,
            fields.get("right"),
        )


@dataclass(frozen=True)
class _Judged:
    """A rule's answers on held-out groups; `log_own` is the mean log-probability of the truth."""

    factor: float
    certainty: Float[Tensor, " g"]
    hits: Bool[Tensor, " g"]
    own: Float[Tensor, " g"]
    log_own: float


def _judged(logits: Float[Tensor, "g c"], truth: Int[Tensor, " g"]) -> _Judged:
    factor = fit_temperature(logits, truth)
    shares = (factor * logits).float().softmax(dim=1)
    own = shares.gather(1, truth[:, None])[:, 0]
    hits = top_classes(logits, 1)[:, 0] == truth
    log_own = float(own.double().clamp_min(1e-30).log().mean())
    return _Judged(factor, shares.amax(dim=1), hits, own, log_own)


def _of_one_label(labels: Int[Tensor, " n"], groups: Int[Tensor, " n"]) -> Bool[Tensor, " n"]:
    """Which items are of a group whose items all have one label."""
    member = groups.unique(return_inverse=True)[1]
    pairs = torch.stack([member, labels]).unique(dim=1)
    return (torch.bincount(pairs[0]) == 1)[member]
