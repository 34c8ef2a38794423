"""In-context accuracy: how well a vision-language model names images from a few shown ones."""

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipfg.embedding.cache import EmbeddingCache
from clipfg.embedding.content_hash import contents_of
from clipfg.errors import DataError, UsageError
from clipfg.evaluation.report.side_by_side import SideBySide
from clipfg.evaluation.serialization import to_json
from clipfg.options import IclOptions
from clipfg.store import KeyStore
from clipfg.types import UNLABELLED
from clipfg.workflows.class_texts import named_ensemble, named_prompts, zero_shot
from clipfg.workflows.dataset import Dataset
from clipfg.workflows.icl.asking import ask_about_all
from clipfg.workflows.icl.demonstrations import DemonstrationFinder, DemonstrationPlan
from clipfg.workflows.icl.figures import MethodScorer, scores_by_method
from clipfg.workflows.icl.questions import QuestionBuilder
from clipfg.workflows.icl.scorer import LvlmScorer
from clipfg.workflows.index.store import open_store, open_store_encoder
from clipfg.workflows.metric import Metric
from clipfg.workflows.pool import FeaturePool
from clipfg.workflows.run_folder import Run
from clipfg.workflows.session import Session

logger = logging.getLogger("clipfg")


@dataclass(frozen=True)
class IclRun(Run):
    """A finished evaluation; `excluded` images were in the store and were not evaluated."""

    comparison: SideBySide
    excluded: int

    def rows(self) -> list[dict[str, Any]]:
        """A row for each method, with chance and the paired comparison with the first."""
        reports = self.comparison.reports
        return [row | {"chance": reports[row["name"]].chance} for row in self.comparison.rows()]

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a reader of the rows must know."""
        return tuple(next(iter(self.comparison.reports.values())).remarks)


def run_icl(session: Session[IclOptions]) -> IclRun:
    """Name the labelled images of `--dataset` from demonstrations out of a store.

    Without `--lvlm` only the vote of the shown labels and zero-shot are measured. Raises
    `ClipfgError`s: data without labels, a store of another encoder, a missing model.
    """
    options = session.options
    plan, ensemble = DemonstrationPlan.of(options), named_ensemble(options)
    store = open_store(options)
    data = session.dataset()
    data.check_labelled("clipfg demos")
    if data.features is not None and options.lvlm is not None:
        raise UsageError(
            f"--lvlm needs images, but {data.name} holds features; name the image folder instead."
        )
    plan.check(data.classes)
    encoder = open_store_encoder(session, store, data)
    metric = Metric.of(options.metric, store)
    scorer = LvlmScorer.of(session)
    facts = {"manifest": data.manifest.digest}
    if scorer is not None:
        facts["lvlm_fingerprint"] = scorer.fingerprint
    with session.run_folder(data.name, **facts) as folder:
        prompts = named_prompts(options, data.manifest)
        head = zero_shot(session, prompts, data.classes, ensemble)
        texts = head.weights_ if plan.strategy.needs_texts else None
        finder = DemonstrationFinder(metric, plan, data.classes, encoder.fingerprint, texts)
        builder = QuestionBuilder.of(options, finder)
        pool, excluded = _images_to_ask_about(session, data, store)
        by_texts = head.logits(pool.features)
        path = folder.part("answers.jsonl")
        outcomes = ask_about_all(session, pool, builder, scorer, by_texts, path)
        if not outcomes:
            raise DataError("None of the images could be classified; see the warnings above.")
        pool, by_texts = pool.rows(np.array(list(outcomes))), by_texts[list(outcomes)]
        context = {
            "data": data.name,
            "split": options.split or "",
            "model": encoder.name,
            "precision": encoder.precision,
            "demonstrations": f"{plan.shots}, {plan.strategy.name}, {options.metric}",
        }
        done, name = list(outcomes.values()), scorer.lvlm.name if scorer else None
        methods = scores_by_method(done, by_texts, plan.shots, name)
        comparison = MethodScorer(pool, data.classes, folder, options, context).compare(
            methods, done, plan.choices
        )
        folder.results = to_json(comparison) | {"excluded": excluded}
    return IclRun(folder.path, len(pool), len(session.failures), comparison, excluded)


def _images_to_ask_about(
    session: Session[IclOptions], data: Dataset, store: KeyStore
) -> tuple[FeaturePool, int]:
    """The labelled images that the store does not hold, and how many it does."""
    pool = session.pool(data)
    stored = _in_store(pool, store, session.cache)
    if excluded := int(stored.sum()):
        logger.warning(f"{excluded:,} of {len(pool):,} images are in the store and are excluded.")
    usable = ~stored & (pool.labels != UNLABELLED)
    if not usable.any():
        raise DataError(
            "Expected labelled images that are not in the store, got none; evaluate on another"
            " split than the one that the store was built from."
        )
    return pool.rows(np.flatnonzero(usable)), excluded


def _in_store(pool: FeaturePool, store: KeyStore, cache: EmbeddingCache) -> NDArray[np.bool_]:
    """Which images `[n]` the store holds: shown as its own demonstration, an image is no test.

    Images are the same by their content; by their id where the content of one cannot be read.
    Folders number their images alike, so equal ids alone mean nothing.
    """
    stored, own = contents_of(store.uris, cache), contents_of(pool.uris, cache)
    contents, ids = set(stored.values()), set(store.ids)
    unread = {id for id, uri in zip(store.ids, store.uris, strict=True) if uri not in stored}

    def holds(identity: str, uri: str) -> bool:
        if uri not in own:
            return identity in ids
        return own[uri] in contents or identity in unread

    return np.array([holds(*item) for item in zip(pool.ids, pool.uris, strict=True)])
