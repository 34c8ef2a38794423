"""Suggest: which images to label next, so that each label teaches as much as it can."""

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from clipfg.acquisition.base import STRATEGIES, UnlabelledPool
from clipfg.embedding.cache import EmbeddingCache
from clipfg.encoders import Encoder
from clipfg.errors import DataError
from clipfg.quality.copies import equal_rows
from clipfg.settings import Settings
from clipfg.types import UNLABELLED, ClassList, Progress
from clipfg.workflows.classify import Run
from clipfg.workflows.pool import FeaturePool, gather
from clipfg.workflows.run_folder import RunFolder, default_folder
from clipfg.workflows.session import (
    Dataset,
    check_same_encoder,
    choose_ensemble,
    choose_prompts,
    class_weights,
    open_cache,
    open_dataset,
    open_encoder,
)
from clipfg.workflows.suggest.labels import with_labels
from clipfg.workflows.suggest.page import render, write_csv
from clipfg.workflows.suggest.probabilities import CalibratedClassifier, text_probabilities
from clipfg.workflows.suggest.ranking import Suggestion, rank

logger = logging.getLogger("clipfg")

DEFAULT = "uherding"
"""Among the best in the replays of docs/suggest.md."""


@dataclass(frozen=True)
class SuggestRun(Run):
    """Finished suggestions, the first to label first."""

    suggestions: list[Suggestion]

    def rows(self) -> list[dict[str, Any]]:
        """A row for each image."""
        return [vars(suggestion) for suggestion in self.suggestions]


@dataclass(frozen=True)
class _Job:
    settings: Settings
    data: Dataset
    own: Dataset | None
    encoder: Encoder | None
    cache: EmbeddingCache
    folder: RunFolder
    progress: Progress | None

    def embed(self, data: Dataset) -> FeaturePool:
        return gather(
            data, self.encoder, self.settings, self.cache, self.folder.fail, self.progress
        )


def suggest(dataset: str, **options: Any) -> list[dict[str, Any]]:
    """`clipfg suggest` from Python: a row per image, the first to label first.

    `options` are those of the command line. Raises `ClipfgError`s, as `run_suggest` does.
    """
    return run_suggest(Settings.resolve(command="suggest", dataset=dataset, **options)).rows()


def run_suggest(
    settings: Settings, *, progress: Progress | None = None, html: bool = False
) -> SuggestRun:
    """Rank `settings.budget` images of `settings.dataset` that have no label.

    Raises `ClipfgError`s: an unknown strategy, data in which everything has a label.
    """
    strategy = settings.strategy or DEFAULT
    STRATEGIES.get(strategy)  # a misspelt name costs no embedding
    data = open_dataset(settings.model_copy(update={"split": settings.split or "all"}))
    data, own = with_labels(settings, data)
    with open_cache(settings) as cache:
        encoder = None
        if data.features is None or settings.model is not None:
            encoder = open_encoder(settings, cache, data)
            for part in (data, own):
                if part is not None and part.features is not None:
                    check_same_encoder(part.features, encoder)
        resolved: dict[str, Any] = settings.model_dump(mode="json") | {
            "command": "suggest",
            "model": encoder.name if encoder else None,
            "precision": encoder.precision if encoder else None,
            "strategy": strategy,
            "manifest": data.manifest.digest,
        }
        model = encoder.name if encoder else ""
        path = settings.output or default_folder("suggest", data.manifest.name, model)
        with RunFolder(path, resolved) as folder:
            job = _Job(settings, data, own, encoder, cache, folder, progress)
            pool, labelled = _gather(job)
            suggestions = _suggest(job, strategy, pool, labelled)
            folder.results = {"suggestions": [vars(each) for each in suggestions]}
            write_csv(suggestions, folder.part("suggestions.csv"))
            if html:
                page = render(suggestions, data.manifest.name, strategy)
                folder.part("suggestions.html").write_text(page, encoding="utf-8")
    return SuggestRun(path, len(pool), folder.failures, suggestions)


def _gather(job: _Job) -> tuple[FeaturePool, FeaturePool | None]:
    """Images to ask about, each content once, and those with a label or None.

    Raises `DataError` when every image has a label already.
    """
    everything = job.embed(job.data)
    labelled = job.embed(job.own) if job.own is not None else None
    if labelled is not None:
        labelled = labelled.rows(np.flatnonzero(labelled.labels != UNLABELLED))
    mine = np.flatnonzero(everything.labels != UNLABELLED)
    if labelled is None and len(mine):
        labelled = everything.rows(mine)
    elif len(mine):
        logger.info(f"{len(mine):,} images of {job.data.manifest.name} have labels too: left out")
    asked = np.flatnonzero(everything.labels == UNLABELLED)
    pool = everything.rows(_new(everything, asked, labelled))
    if not len(pool):
        raise DataError(
            f"Expected images without a label to choose from, and all {len(everything):,} of"
            f" {job.data.manifest.name} have one; try --simulate, or name those that count as"
            " labelled by --labelled FILE."
        )
    return pool, labelled


def _new(
    everything: FeaturePool, asked: NDArray[np.intp], labelled: FeaturePool | None
) -> NDArray[np.intp]:
    """Those asked about whose content is not labelled already, each content once."""
    known = labelled.features if labelled is not None else everything.features[:0]
    rows = torch.cat([known, everything.features[torch.from_numpy(asked)]])
    first = equal_rows(rows)[len(known) :] if len(rows) else torch.zeros(0)
    own = torch.arange(len(known), len(rows))
    return asked[(first == own).numpy()]


def _suggest(
    job: _Job, strategy: str, pool: FeaturePool, labelled: FeaturePool | None
) -> list[Suggestion]:
    classes = job.data.manifest.classes or (job.own.manifest.classes if job.own else None)
    known = labelled.features if labelled is not None else pool.features[:0]
    odds, names = _odds(job, pool, labelled, classes)
    scene = UnlabelledPool(pool.features, known, odds, job.settings.seed)
    return rank(pool, scene, names, strategy, job.settings.budget)


def _odds(
    job: _Job, pool: FeaturePool, labelled: FeaturePool | None, classes: ClassList | None
) -> tuple[Float[Tensor, "n c"] | None, list[str]]:
    """Probabilities and the names of their classes.

    By texts as long as a class has no label, by a head that has learnt from labels and texts from
    then on; without an encoder by a head for the classes that have labels; None where there is no
    class list, or too little to tell classes apart by.
    """
    if classes is None:
        return None, []
    labels = torch.from_numpy(labelled.labels) if labelled is not None else torch.zeros(0).long()
    present = torch.unique(labels)
    texts = None
    if job.encoder is not None:
        prompts = choose_prompts(job.settings, job.data.manifest)
        ensemble = choose_ensemble(job.settings)
        texts = class_weights(
            job.encoder, prompts, classes, job.cache, ensemble, seed=job.settings.seed
        )
        if len(present) < len(classes):
            scale = job.encoder.logit_scale
            return text_probabilities(pool.features, texts, scale), list(classes.names)
    if labelled is None or len(present) < 2:
        return None, []
    odds = CalibratedClassifier.of(labelled.features, labels, texts, job.settings.seed)
    return odds.probabilities(pool.features), [classes.names[i] for i in odds.classes.tolist()]
