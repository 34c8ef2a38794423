"""The loop that every classifying job shares: features in, a row per item out."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from clipfg.confidence import AnswerColumns
from clipfg.embedding.batches import FeatureBatch
from clipfg.embedding.cache import EmbeddingCache
from clipfg.embedding.pipeline import embed
from clipfg.encoders import Encoder
from clipfg.evaluation.evaluator import Evaluator
from clipfg.evaluation.predictions import PredictionWriter
from clipfg.functional.similarity import Scoring
from clipfg.heads import Head
from clipfg.settings import Settings
from clipfg.types import ClassList, Failure, Progress
from clipfg.workflows.run_folder import RunFolder
from clipfg.workflows.session import Dataset

ROWS = 1024
"""Rows scored at once when features come from a file."""


@dataclass(frozen=True)
class Run:
    """What a finished job left: its folder, and how its items fared."""

    folder: Path
    done: int
    skipped: int

    @property
    def exit_code(self) -> int:
        """0 when every item was used, 3 when some were skipped, 1 when none could be used."""
        if not self.skipped:
            return 0
        return 3 if self.done else 1


@dataclass(frozen=True)
class ClassifyCounts:
    """How many items were classified, how many of them came from the cache, and in what time."""

    done: int
    reused: int
    seconds: float


def classify(
    data: Dataset,
    encoder: Encoder,
    head: Head,
    classes: ClassList,
    folder: RunFolder,
    settings: Settings,
    cache: EmbeddingCache,
    *,
    scoring: Scoring,
    evaluator: Evaluator | None = None,
    answers: AnswerColumns | None = None,
    progress: Progress | None = None,
) -> ClassifyCounts:
    """Score every item, write `predictions.parquet`, and feed the evaluator where there is one.

    `answers` calibrate the logits and add columns of their own.

    Memory is bounded by the batch: no matrix of all features or logits is ever held.
    """
    started = time.monotonic()
    manifest = data.manifest
    uris, domains = manifest.uris, manifest.column("domain")
    path = folder.part("predictions.parquet")
    reused = 0
    more = answers.columns if answers else None
    with PredictionWriter(path, classes, settings.top_k, scoring, more) as writer:
        for batch in feature_batches(data, encoder, settings, cache, folder.fail, progress):
            features = torch.from_numpy(batch.vectors)
            logits, rows = head.logits(features), None
            if answers is not None:
                logits, rows = answers.calibrated(logits), answers.rows(features, logits)
            places = [uris[i] for i in batch.positions]
            writer.write(batch.ids, places, logits, batch.labels, rows)
            if evaluator is not None:
                kinds = [domains[i] for i in batch.positions] if domains else None
                evaluator.update(logits, batch.labels, kinds)
            reused += batch.reused
    return ClassifyCounts(writer.rows, reused, time.monotonic() - started)


def feature_batches(
    data: Dataset,
    encoder: Encoder | None,
    settings: Settings,
    cache: EmbeddingCache,
    on_failure: Callable[[Failure], None],
    progress: Progress | None,
) -> Iterator[FeatureBatch]:
    """The items' features in order: embedded or from the cache, or from a features file.

    The encoder may be None for features from a file.
    """
    if data.features is None:
        assert encoder is not None
        yield from embed(
            data.manifest,
            encoder,
            cache if settings.resume else None,
            batch_size=settings.batch_size,
            workers=settings.workers,
            progress=progress,
            on_failure=on_failure,
            strict=settings.strict,
        )
        return
    rows = {identity: row for row, identity in enumerate(data.features.ids)}
    ids, labels = data.manifest.ids, data.manifest.labels
    for start in range(0, len(ids), ROWS):
        chunk = ids[start : start + ROWS]
        yield FeatureBatch(
            positions=torch.arange(start, start + len(chunk)).numpy(),
            ids=tuple(chunk),
            vectors=data.features.pooled[[rows[identity] for identity in chunk]],
            labels=labels[start : start + len(chunk)],
            reused=len(chunk),
        )
