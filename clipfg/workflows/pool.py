"""Pools: all features of a run in memory, for what has to see every image before naming one."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from clipfg.confidence import AnswerColumns
from clipfg.embedding.cache import EmbeddingCache
from clipfg.encoders import Encoder
from clipfg.errors import DataError
from clipfg.evaluation.evaluator import Evaluator
from clipfg.evaluation.predictions import PredictionWriter
from clipfg.functional.similarity import Scoring
from clipfg.settings import Settings
from clipfg.types import ClassList, Failure, Progress
from clipfg.workflows.classify import ROWS, feature_batches
from clipfg.workflows.session import Dataset


@dataclass(frozen=True)
class FeaturePool:
    """The images of a run that could be used, in order.

    `features` `[n, d]` is all that a label-free method is handed; ids, labels and domains are for
    the evaluator and the predictions file.
    """

    features: Float[Tensor, "n d"]
    ids: list[str]
    uris: list[str]
    labels: NDArray[Any]
    domains: list[str | None] | None
    reused: int
    seconds: float

    def __len__(self) -> int:
        return len(self.ids)

    def rows(self, which: NDArray[np.intp]) -> "FeaturePool":
        """The images at some positions."""
        return replace(
            self,
            features=self.features[torch.from_numpy(which)],
            ids=[self.ids[i] for i in which],
            uris=[self.uris[i] for i in which],
            labels=self.labels[which],
            domains=[self.domains[i] for i in which] if self.domains else None,
        )


def gather(
    data: Dataset,
    encoder: Encoder | None,
    settings: Settings,
    cache: EmbeddingCache,
    on_failure: Callable[[Failure], None],
    progress: Progress | None,
) -> FeaturePool:
    """Embed everything, or take it from the cache: 4 bytes times the width for each image.

    Features from a file need no encoder.

    Raises `DataError` when no image could be used.
    """
    started = time.monotonic()
    batches = list(feature_batches(data, encoder, settings, cache, on_failure, progress))
    if not batches:
        raise DataError(f"Expected images that can be used, {data.manifest.name} has none.")
    positions = [int(position) for batch in batches for position in batch.positions]
    uris, domains = data.manifest.uris, data.manifest.column("domain")
    return FeaturePool(
        features=torch.cat([torch.from_numpy(batch.vectors) for batch in batches]).float(),
        ids=[identity for batch in batches for identity in batch.ids],
        uris=[uris[i] for i in positions],
        labels=data.manifest.labels[positions],
        domains=[domains[i] for i in positions] if domains else None,
        reused=sum(batch.reused for batch in batches),
        seconds=time.monotonic() - started,
    )


def score(
    pool: FeaturePool,
    blocks: Iterable[Float[Tensor, "b c"]],
    classes: ClassList,
    path: Path,
    *,
    top_k: int,
    scoring: Scoring,
    evaluator: Evaluator | None = None,
    answers: AnswerColumns | None = None,
) -> None:
    """Write the predictions, and feed the evaluator; `blocks` are logits in the pool's order.

    `answers` calibrate the logits and add columns of their own.
    """
    start = 0
    more = answers.columns if answers else None
    with PredictionWriter(path, classes, top_k, scoring, more) as writer:
        for block in blocks:
            part = slice(start, start + len(block))
            logits, rows = block, None
            if answers is not None:
                logits, rows = answers.calibrated(block), answers.rows(pool.features[part], block)
            writer.write(pool.ids[part], pool.uris[part], logits, pool.labels[part], rows)
            if evaluator is not None:
                domains = pool.domains[part] if pool.domains else None
                evaluator.update(logits, pool.labels[part], domains)
            start = part.stop


def in_blocks(
    features: Float[Tensor, "n d"], logits: Callable[[Tensor], Tensor]
) -> Iterable[Float[Tensor, "b c"]]:
    """Logits of the pool, some rows at a time."""
    return (logits(block) for block in features.split(ROWS))
