"""The loop that classifies a stream of images: features in, a row per image out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clipfg.embedding.batches import FeatureBatch
from clipfg.errors import DataError
from clipfg.evaluation.predictions import PredictionWriter
from clipfg.heads.array_head import ArrayHead
from clipfg.types import ClassList
from clipfg.workflows.dataset import Dataset
from clipfg.workflows.run_folder import RunFolder
from clipfg.workflows.session import Session
from clipfg.workflows.views import goes_by_surest

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from clipfg.confidence import AnswerColumns
    from clipfg.evaluation.evaluator import Evaluator
    from clipfg.functional.similarity import Scoring
    from clipfg.heads import Head
    from clipfg.workflows.group_predictions import GroupPredictions

PREDICTIONS = "predictions.parquet"


@dataclass(frozen=True)
class ClassifyCounts:
    """How many images were classified, how many of them came from the cache, and in what time.

    `remark` says what several views of each image cost and gain.
    """

    done: int
    reused: int
    seconds: float
    remark: str = ""


def classify(
    session: Session,
    data: Dataset,
    head: Head[Any] | ArrayHead,
    classes: ClassList,
    folder: RunFolder,
    *,
    top_k: int,
    scoring: Scoring,
    evaluator: Evaluator | None = None,
    answers: AnswerColumns | None = None,
    groups: GroupPredictions | None = None,
) -> ClassifyCounts:
    """Score every image, write `predictions.parquet`, and feed the evaluator where there is one.

    `answers` calibrate the logits and add columns of their own; `groups` take in the head's. These
    and views need a `Head`, not an `ArrayHead`. Memory is bounded by the batch: no matrix of all
    features or logits is ever held, unless the surest view of each image counts.
    """
    started = time.monotonic()
    uris, domains = data.manifest.uris, data.manifest.column("domain")
    reused = 0
    more = answers.columns if answers else None
    path = folder.part(PREDICTIONS)
    boxes = session.boxes(data.manifest)
    center = None
    if session.views is not None:
        from clipfg.workflows.scored_views import CenterHits

        assert not isinstance(head, ArrayHead)
        center = CenterHits(session.views, head.logits)
    with PredictionWriter(path, classes, top_k, scoring, more, boxes) as writer:
        for batch, factors in _decided(session, data, head):
            logits: Any = head.logits(_given_to(head, batch))
            rows = None
            if factors is not None:
                logits = logits * factors[:, None]
            if center is not None:
                center.update(batch, logits)
            if groups is not None:
                groups.add(batch.positions, logits)
            if answers is not None:
                logits, rows = answers.calibrated(logits), answers.rows(_rows(batch), logits)
            places = [uris[i] for i in batch.positions]
            writer.write(batch.ids, places, logits, batch.labels, rows)
            if evaluator is not None:
                kinds = [domains[i] for i in batch.positions] if domains else None
                evaluator.update(logits, batch.labels, kinds)
            reused += batch.reused
    remark = center.remark() if center is not None else ""
    return ClassifyCounts(writer.rows, reused, time.monotonic() - started, remark)


def _rows(batch: FeatureBatch) -> Float[Tensor, "b d"]:
    import torch

    return torch.from_numpy(batch.vectors)


def _given_to(head: Head[Any] | ArrayHead, batch: FeatureBatch) -> Any:
    """What a head takes of a batch. Raises `DataError` for a lack of patches."""
    if isinstance(head, ArrayHead):
        return batch.vectors
    if head.consumes != "patches":
        return _rows(batch)
    if batch.patches is None:
        raise DataError(
            f"Expected features with patches for the head {head.name}, got pooled features alone;"
            " name images instead."
        )
    from clipfg.heads import FeatureSets

    return FeatureSets.of_maps(batch.patches)


def _decided(
    session: Session, data: Dataset, head: Head[Any] | ArrayHead
) -> Iterator[tuple[FeatureBatch, Float[Tensor, " b"] | None]]:
    """Batches with the features that count, and factors on their logits where views differ."""
    batches = session.batches(data)
    if session.views is not None and goes_by_surest(session.options):
        from clipfg.workflows.scored_views import surest

        assert not isinstance(head, ArrayHead)
        return surest(batches, session.views, head.logits)
    return ((batch, None) for batch in batches)
