"""Several views of an image that were scored: which one is believed, and what they gain."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from clipfg.embedding.batches import FeatureBatch
from clipfg.embedding.views import WHOLE, Views
from clipfg.errors import UsageError
from clipfg.evaluation.statistics.paired import PairedComparison, compare
from clipfg.functional.surest_view import holds_object, kind_factors, surest_view
from clipfg.types import UNLABELLED
from clipfg.workflows.views import views_said

logger = logging.getLogger("clipfg")

LEAST = 20
"""Images that the kinds of views can be calibrated on."""
SAMPLE = 2048
"""Images that they are calibrated on at most."""

Logits = Callable[[Tensor], Tensor]


def surest(
    batches: Iterator[FeatureBatch], views: Views, logits: Logits
) -> Iterator[tuple[FeatureBatch, Float[Tensor, " b"]]]:
    """Batches with the feature of the surest view of each item, and the factor on its logits.

    All batches are held until the kinds of views are calibrated (`functional.surest_view`). Raises
    `UsageError` for fewer than `LEAST` items.
    """
    held = list(batches)
    features = torch.from_numpy(np.concatenate([_views(batch) for batch in held] or [[]]))
    if len(features) < LEAST:
        raise UsageError(
            f"--view-pooling surest calibrates views on the images and needs {LEAST} of them, got"
            f" {len(features)}; use mean."
        )
    whole = next(at for at, kind in enumerate(views.kinds) if kind in WHOLE)
    mean = features[:, whole].mean(dim=0)
    sample = features[:: -(-len(features) // SAMPLE)]
    holds = holds_object(sample, sample[:, whole], mean)
    factors = kind_factors(_scores(sample, logits), holds, views.kinds, whole)
    won: Counter[str] = Counter()
    for batch in held:
        own = torch.from_numpy(_views(batch))
        holds = holds_object(own, own[:, whole], mean)
        chosen = surest_view(_scores(own, logits), holds, factors, whole)
        won.update(views.kinds[at] for at in chosen.tolist())
        vectors = own[torch.arange(len(own)), chosen].numpy()
        yield replace(batch, vectors=vectors), factors[chosen]
    counts = ", ".join(f"{kind} of {count:,}" for kind, count in won.most_common())
    logger.info(f"Surest view: {counts} images")


def _views(batch: FeatureBatch) -> Any:
    assert batch.views is not None
    return batch.views


def _scores(views: Float[Tensor, "n v d"], logits: Logits) -> Float[Tensor, "n v c"]:
    return logits(views.flatten(0, 1)).unflatten(0, views.shape[:2])


class CenterHits:
    """What the center alone would have answered, where it is one of the views."""

    def __init__(self, views: Views, logits: Logits) -> None:
        self._views = views
        self._logits = logits
        self._hits: list[Tensor] = []
        self._alone: list[Tensor] = []

    def update(self, batch: FeatureBatch, logits: Float[Tensor, "b c"]) -> None:
        """Note which labelled items the views, and the center alone, name correctly."""
        if batch.views is None or "" not in self._views.shown:
            return
        known = torch.from_numpy(batch.labels != UNLABELLED)
        if not known.any():
            return
        labels = torch.from_numpy(batch.labels)[known]
        center = torch.from_numpy(batch.views[:, self._views.shown.index("")])[known]
        self._hits.append(logits.argmax(dim=1)[known] == labels)
        self._alone.append(self._logits(center).argmax(dim=1) == labels)

    def remark(self) -> str:
        """What the views cost and, where it is known, what they gain against the center alone."""
        said = views_said(self._views)
        if not self._hits:
            return f"{said}."
        alone, hits = (torch.cat(each).numpy() for each in (self._alone, self._hits))
        return f"{said}: {gain_said(compare(alone, hits))}."


def gain_said(paired: PairedComparison) -> str:
    """A gain in top-1 accuracy against the center alone, with its interval and a verdict."""
    gain = paired.difference
    low, high = 100 * gain.low, 100 * gain.high
    said = f"top-1 {100 * gain.value:+.1f} points ({low:+.1f} to {high:+.1f}) against center alone"
    if low > 0:
        return said
    return said + (", a loss" if high < 0 else ", no gain that can be told from chance")
