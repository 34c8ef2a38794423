"""Logits and labels in, batch by batch; a report out."""

from collections.abc import Mapping, Sequence
from itertools import compress
from typing import Any

import numpy as np

from clipfg.errors import DataError
from clipfg.evaluation.report.report import DomainRow, Report
from clipfg.evaluation.report.rows import class_rows, confusions, level_rows
from clipfg.evaluation.statistics.intervals import RESAMPLES, intervals
from clipfg.evaluation.statistics.outcomes import TOP_K, Outcomes
from clipfg.evaluation.statistics.severity import severity
from clipfg.functional import metrics
from clipfg.functional.array_similarity import as_array, confidence, top_classes
from clipfg.types import ClassList, Estimate


class Evaluator:
    """Accumulates what a report needs, without keeping logits.

    NLL and calibration are of the softmax over classes for every encoder, sigmoid ones too: each
    item has one true class, and the figures stay comparable between models.

    `classes` are those that the logits' columns stand for; `seed` is the random seed of the
    bootstrap, `resamples` how many draws it makes.
    """

    def __init__(self, classes: ClassList, seed: int = 0, resamples: int = RESAMPLES) -> None:
        self.classes = classes
        self.seed = seed
        self.resamples = resamples
        self._parts: list[Outcomes] = []
        self._domains: list[str | None] = []
        self._unlabelled = 0

    def update(
        self,
        logits: Any,
        labels: Any,
        domains: Sequence[str | None] | None = None,
    ) -> None:
        """Score one batch.

        Parameters
        ----------
        logits
            `[b, c]`, an array or a tensor.
        labels
            Class indices `[b]`; items labelled -1 are counted and otherwise excluded.
        domains
            The domain of each item ("seen", "unseen"), or None.

        Raises `DataError` for shapes or labels that do not fit the classes, and for logits that
        are not finite.
        """
        logits, truth = as_array(logits), as_array(labels)
        if logits.ndim != 2 or logits.shape[1] != len(self.classes):
            raise DataError(
                f"Expected logits of shape [b, {len(self.classes)}], one column per class,"
                f" got {list(logits.shape)}."
            )
        if len(truth) != len(logits) or (domains is not None and len(domains) != len(logits)):
            given = len(domains) if domains is not None else "no"
            raise DataError(
                f"Expected a label and a domain for each of {len(logits)} items,"
                f" got {len(truth)} labels and {given} domains."
            )
        known = truth != -1
        self._unlabelled += int((~known).sum())
        if not known.any():
            return
        logits, truth = logits[known], truth[known]
        self._parts.append(
            Outcomes(
                labels=truth.astype(np.int32),
                predictions=top_classes(logits, 1)[:, 0].astype(np.int32),
                in_top_k=metrics.rank_of_truth(logits, truth) < TOP_K,
                nll=metrics.negative_log_likelihood(logits, truth),
                confidence=confidence(logits),
            )
        )
        kept = known.tolist()
        self._domains += compress(domains or [None] * len(kept), kept)

    @property
    def outcomes(self) -> Outcomes:
        """All items so far. Raises `DataError` when no item had a label."""
        if not self._parts:
            raise DataError(
                f"Expected at least one labelled item to evaluate, got none"
                f" ({self._unlabelled} without a label); try `clipfg predict`, which needs none."
            )
        if len(self._parts) > 1:
            self._parts = [Outcomes.join(self._parts)]
        return self._parts[0]

    def report(self, context: Mapping[str, str] | None = None) -> Report:
        """The report on all items so far. Raises `DataError` when no item had a label."""
        outcomes = self.outcomes
        sizes = np.bincount(outcomes.labels, minlength=len(self.classes))
        return Report(
            n=len(outcomes),
            classes=len(self.classes),
            metrics=self._bounded(outcomes),
            chance=1 / len(self.classes),
            majority=float(sizes.max() / len(outcomes)),
            per_class=class_rows(outcomes, self.classes),
            confusions=confusions(outcomes, self.classes),
            by_domain=self._domain_rows(outcomes),
            by_level=level_rows(outcomes, self.classes),
            severity=severity(outcomes, self.classes, self.seed, self.resamples),
            unlabelled=self._unlabelled,
            context=dict(context or {}),
        )

    def _bounded(self, outcomes: Outcomes) -> dict[str, Estimate]:
        estimates = point_estimates(outcomes, len(self.classes))
        return intervals(outcomes, estimates, self.seed, self.resamples)

    def _domain_rows(self, outcomes: Outcomes) -> tuple[DomainRow, ...]:
        domains = np.array(self._domains, dtype=object)
        rows = []
        for name in sorted({domain for domain in self._domains if domain is not None}):
            part = outcomes.select(domains == name)
            bounded = self._bounded(part)
            shown = {key: bounded[key] for key in ("top1", "top5", "mean_per_class")}
            classes = len(np.unique(part.labels))
            rows.append(DomainRow(name=name, n=len(part), classes=classes, **shown))
        return tuple(rows)


def point_estimates(outcomes: Outcomes, classes: int) -> dict[str, float]:
    """Every metric of `report.METRICS`, without intervals."""
    counts = metrics.class_counts(outcomes.predictions, outcomes.labels, classes)
    return {
        "top1": float(outcomes.hits.mean()),
        "top5": float(outcomes.in_top_k.mean()),
        "mean_per_class": float(np.nanmean(metrics.per_class_accuracy(counts))),
        "macro_f1": float(np.nanmean(metrics.per_class_f1(counts))),
        "nll": float(outcomes.nll.mean(dtype=np.float64)),
        "ece": metrics.expected_calibration_error(outcomes.confidence, outcomes.hits),
    }
