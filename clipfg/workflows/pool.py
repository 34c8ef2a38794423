"""Pools: all features of a job in memory, for methods that see every image before naming one."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from clipfg.confidence import AnswerColumns
from clipfg.data.images.thumbnails import thumbnail
from clipfg.embedding.batches import FeatureBatch
from clipfg.evaluation.evaluator import Evaluator
from clipfg.evaluation.predictions import PredictionWriter
from clipfg.functional.similarity import Scoring
from clipfg.heads.base import FeatureSets, Images
from clipfg.heads.items import Items
from clipfg.types import ClassList, Manifest, Patches

BLOCK = 1024
"""Images scored at once."""


@dataclass(frozen=True)
class FeaturePool:
    """The images of a job that could be used, in order.

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
    boxes: dict[str, list[float]] | None = None
    """The parts of images that items are, by id."""
    patches: FeatureSets | None = None
    """Of the same images, where the job's heads take them."""
    groups: Int[Tensor, " n"] | None = None
    """What must stay together; None where each item stands alone (`Manifest.groups`)."""

    @classmethod
    def of(
        cls,
        manifest: Manifest,
        batches: Sequence[FeatureBatch],
        seconds: float,
        boxes: dict[str, list[float]] | None = None,
    ) -> "FeaturePool":
        """The rows of all batches of a manifest; there must be one."""
        positions = np.concatenate([batch.positions for batch in batches])
        uris, domains = manifest.uris, manifest.column("domain")
        groups = manifest.groups
        return cls(
            features=torch.cat([torch.from_numpy(batch.vectors) for batch in batches]).float(),
            ids=[identity for batch in batches for identity in batch.ids],
            uris=[uris[i] for i in positions],
            labels=manifest.labels[positions],
            domains=[domains[i] for i in positions] if domains else None,
            reused=sum(batch.reused for batch in batches),
            seconds=seconds,
            boxes=boxes,
            patches=_patches(batches),
            groups=None if groups is None else torch.from_numpy(groups[positions]),
        )

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def items(self) -> Items:
        """What heads may see of them."""
        return Items(self.features, patches=self.patches)

    def thumbnail(self, row: int) -> bytes:
        """A small picture of an item. Raises `ItemError` when its image cannot be read."""
        return thumbnail(self.uris[row], box=(self.boxes or {}).get(self.ids[row]))

    def rows(self, which: NDArray[np.intp]) -> "FeaturePool":
        """The images at some positions."""
        places = torch.from_numpy(which)
        return replace(
            self,
            features=self.features[places],
            ids=[self.ids[i] for i in which],
            uris=[self.uris[i] for i in which],
            labels=self.labels[which],
            domains=[self.domains[i] for i in which] if self.domains else None,
            patches=None if self.patches is None else self.patches[places],
            groups=None if self.groups is None else self.groups[places],
        )


def _patches(batches: Sequence[FeatureBatch]) -> FeatureSets | None:
    found = [batch.patches for batch in batches if batch.patches is not None]
    return FeatureSets.of_maps(Patches.concat(found)) if found else None


def score(
    pool: FeaturePool,
    blocks: Iterable[Float[Tensor, "b c"]],
    classes: ClassList,
    path: Path,
    *,
    top_k: int,
    scoring: Scoring = "softmax",
    evaluator: Evaluator | None = None,
    answers: AnswerColumns | None = None,
) -> None:
    """Write the predictions, and feed the evaluator; `blocks` are logits in the pool's order.

    `answers` calibrate the logits and add columns of their own.
    """
    start = 0
    more = answers.columns if answers else None
    with PredictionWriter(path, classes, top_k, scoring, more, pool.boxes) as writer:
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
    items: Float[Tensor, "n d"] | FeatureSets | Images, logits: Callable[[Any], Tensor]
) -> Iterable[Float[Tensor, "b c"]]:
    """Logits of the pool, some items at a time."""
    return (logits(block) for block in items.split(BLOCK))
