"""Logits and labels in, batch by batch; a report out."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clipfg.errors import DataError
from clipfg.evaluation.intervals import RESAMPLES, Estimate, intervals, proportion
from clipfg.evaluation.outcomes import TOP_K, Outcomes
from clipfg.evaluation.report import ClassRow, Confusion, DomainRow, LevelRow, Report
from clipfg.types import ClassList

if TYPE_CHECKING:
    from torch import Tensor

CONFUSIONS_KEPT = 50


class Evaluator:
    """Accumulates what a report needs and forgets the logits.

    NLL and calibration are of the softmax over classes for every encoder, sigmoid ones too: the
    items have one right class each, and the figures stay comparable between models.

    Parameters
    ----------
    classes
        The classes that the logits' columns stand for.
    seed
        Of the bootstrap.
    resamples
        Draws of the bootstrap.
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
        logits: "Tensor",
        labels: "Tensor | NDArray[Any] | Sequence[int]",
        domains: Sequence[str | None] | None = None,
    ) -> None:
        """Score one batch.

        Parameters
        ----------
        logits
            `[b, c]`, the larger the likelier.
        labels
            Class indices `[b]`; items labelled -1 are counted and otherwise left out.
        domains
            The domain of each item ("seen", "unseen"), or None.

        Raises `DataError` for shapes or labels that do not fit the classes, and logits that are
        not finite.
        """
        import torch

        from clipfg.functional.metrics import confidence, negative_log_likelihood, rank_of_truth
        from clipfg.functional.similarity import top_classes

        truth = torch.as_tensor(labels, device=logits.device)
        if logits.ndim != 2 or logits.shape[1] != len(self.classes):
            raise DataError(
                f"Expected logits of shape [b, {len(self.classes)}], a column for each class,"
                f" got {list(logits.shape)}."
            )
        if len(truth) != len(logits) or (domains is not None and len(domains) != len(logits)):
            raise DataError(f"Expected {len(logits)} labels and domains, one for each item.")
        known = truth != -1
        self._unlabelled += int((~known).sum())
        if not known.any():
            return
        logits, truth = logits[known], truth[known]
        self._parts.append(
            Outcomes(
                labels=truth.cpu().numpy().astype(np.int32),
                predictions=top_classes(logits, 1)[:, 0].cpu().numpy().astype(np.int32),
                in_top_k=(rank_of_truth(logits, truth) < TOP_K).cpu().numpy(),
                nll=negative_log_likelihood(logits, truth).cpu().numpy(),
                confidence=confidence(logits).cpu().numpy(),
            )
        )
        kept = known.tolist()
        given = domains if domains is not None else [None] * len(kept)
        self._domains += [domain for domain, keep in zip(given, kept, strict=True) if keep]

    @property
    def outcomes(self) -> Outcomes:
        """Everything kept so far. Raises `DataError` when no item had a label."""
        if not self._parts:
            raise DataError(
                f"Expected at least one labelled item to evaluate, got none"
                f" ({self._unlabelled} without a label); try `clipfg predict` for those."
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
            per_class=_class_rows(outcomes, self.classes),
            confusions=_confusions(outcomes, self.classes),
            by_domain=self._domain_rows(outcomes),
            by_level=self._level_rows(outcomes),
            unlabelled=self._unlabelled,
            context=dict(context or {}),
        )

    def _bounded(self, outcomes: Outcomes) -> dict[str, Estimate]:
        estimates = point_estimates(outcomes, len(self.classes))
        return intervals(outcomes, estimates, self.seed, self.resamples)

    def _domain_rows(self, outcomes: Outcomes) -> tuple[DomainRow, ...]:
        domains = np.array(self._domains, dtype=object)
        rows = []
        for name in dict.fromkeys(domain for domain in self._domains if domain is not None):
            part = outcomes.select(domains == name)
            bounded = self._bounded(part)
            rows.append(
                DomainRow(
                    name=name,
                    n=len(part),
                    classes=len(np.unique(part.labels)),
                    top1=bounded["top1"],
                    top5=bounded["top5"],
                    mean_per_class=bounded["mean_per_class"],
                )
            )
        return tuple(sorted(rows, key=lambda row: row.name))

    def _level_rows(self, outcomes: Outcomes) -> tuple[LevelRow, ...]:
        lineages = [self.classes.lineage(name) for name in self.classes.names]
        rows = []
        for level in range(1, max(map(len, lineages)) + 1):
            names = [above[level - 1] if len(above) >= level else None for above in lineages]
            nodes = {name: i for i, name in enumerate(dict.fromkeys(names)) if name is not None}
            group = np.array([nodes.get(name, -1) for name in names], dtype=np.int32)  # type: ignore[arg-type]
            part = outcomes.select(group[outcomes.labels] >= 0)
            if not len(part) or len(nodes) < 2:
                continue
            right = int((group[part.labels] == group[part.predictions]).sum())
            members = np.bincount(group[group >= 0], minlength=len(nodes)) / len(group)
            rows.append(
                LevelRow(
                    level=level,
                    groups=len(nodes),
                    n=len(part),
                    accuracy=proportion(right, len(part), self.seed, self.resamples),
                    chance=float(members[group[part.labels]].mean()),
                )
            )
        return tuple(rows)


def point_estimates(outcomes: Outcomes, classes: int) -> dict[str, float]:
    """Every metric of `report.METRICS`, without intervals."""
    from torch import from_numpy

    from clipfg.functional import metrics

    labels, predictions = from_numpy(outcomes.labels), from_numpy(outcomes.predictions)
    counts = metrics.class_counts(predictions, labels, classes)
    ece = metrics.expected_calibration_error(
        from_numpy(outcomes.confidence), from_numpy(outcomes.hits)
    )
    return {
        "top1": float(outcomes.hits.mean()),
        "top5": float(outcomes.in_top_k.mean()),
        "mean_per_class": float(metrics.macro_mean(metrics.per_class_accuracy(counts))),
        "macro_f1": float(metrics.macro_mean(metrics.per_class_f1(counts))),
        "nll": float(outcomes.nll.mean(dtype=np.float64)),
        "ece": float(ece),
    }


def _class_rows(outcomes: Outcomes, classes: ClassList) -> tuple[ClassRow, ...]:
    from torch import from_numpy

    from clipfg.functional import metrics

    counts = metrics.class_counts(
        from_numpy(outcomes.predictions), from_numpy(outcomes.labels), len(classes)
    )
    sizes = counts[:, 0].numpy()
    near = np.bincount(outcomes.labels, weights=outcomes.in_top_k, minlength=len(classes))
    with np.errstate(invalid="ignore"):
        columns = (
            metrics.per_class_accuracy(counts).numpy(),
            near / sizes,
            metrics.per_class_precision(counts).numpy(),
            metrics.per_class_f1(counts).numpy(),
        )
    return tuple(
        ClassRow(name, int(sizes[i]), *(None if np.isnan(c[i]) else float(c[i]) for c in columns))
        for i, name in enumerate(classes.names)
    )


def _confusions(outcomes: Outcomes, classes: ClassList) -> tuple[Confusion, ...]:
    from torch import from_numpy

    from clipfg.functional.metrics import confusion_counts

    cells = confusion_counts(from_numpy(outcomes.predictions), from_numpy(outcomes.labels)).numpy()
    mistakes = cells[cells[:, 0] != cells[:, 1]]
    sizes = np.bincount(outcomes.labels, minlength=len(classes))
    # most frequent first; among equals the larger share of its class, then index order
    order = np.lexsort((mistakes[:, 1], mistakes[:, 0], sizes[mistakes[:, 0]], -mistakes[:, 2]))
    return tuple(
        Confusion(
            true=classes.names[true],
            predicted=classes.names[predicted],
            count=int(count),
            share=float(count / sizes[true]),
            ancestor=_common_ancestor(classes, int(true), int(predicted)),
        )
        for true, predicted, count in mistakes[order[:CONFUSIONS_KEPT]]
    )


def _common_ancestor(classes: ClassList, one: int, other: int) -> str | None:
    above = set(classes.lineage(classes.names[other]))
    return next((node for node in classes.lineage(classes.names[one]) if node in above), None)
