"""In-context prediction: how well a language model names images from a few shown ones.

Beside it stand, on the same images, the vote of the labels that were shown, which needs no
language model, and zero-shot classification by the encoder.
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TextIO

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from clipfg.embedding.cache import EmbeddingCache
from clipfg.embedding.content_hash import contents_of
from clipfg.encoders import Encoder
from clipfg.errors import DataError, ItemError, UsageError
from clipfg.evaluation.report.side_by_side import SideBySide
from clipfg.evaluation.serialization import to_json
from clipfg.heads.zero_shot import ZeroShot
from clipfg.icl import PromptWording, vote
from clipfg.settings import Settings
from clipfg.store import KeyStore
from clipfg.types import UNLABELLED, ClassList, Failure, Progress
from clipfg.workflows.classify import Run
from clipfg.workflows.icl.demonstrations import (
    Demonstration,
    DemonstrationFinder,
    DemonstrationPlan,
    as_the_store,
    open_store,
)
from clipfg.workflows.icl.figures import IclOutcome, MethodScorer, scores_by_method
from clipfg.workflows.icl.lvlm_files import open_lvlm
from clipfg.workflows.icl.questions import LvlmScorer, QuestionBuilder, over_classes
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

logger = logging.getLogger("clipfg")

ANSWERS = "answers.jsonl"


@dataclass(frozen=True)
class IclRun(Run):
    """A finished evaluation; `excluded` images were in the store and took no part."""

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


def run_icl(settings: Settings, *, progress: Progress | None = None) -> IclRun:
    """Name the labelled images of `settings.dataset` from demonstrations out of a store.

    Without `--lvlm` only the vote of the shown labels and zero-shot are measured. Raises
    `ClipfgError`s: data without labels, a store of another encoder, a missing model.
    """
    plan = DemonstrationPlan.of(settings)
    store = open_store(settings)
    data = open_dataset(settings)
    if not (data.manifest.labels != UNLABELLED).any():
        raise DataError(
            f"Expected labelled images to measure accuracy on, and {data.manifest.name} has"
            " none; try `clipfg demos`, which needs no labels."
        )
    if data.features is not None and settings.lvlm is not None:
        raise UsageError("Expected images for --lvlm to see, got features; name their folder.")
    plan.check(data.classes)
    with open_cache(settings) as cache:
        encoder = open_encoder(as_the_store(settings, store), cache, data)
        if data.features is not None:
            check_same_encoder(data.features, encoder)
        store.check_encoder(encoder.fingerprint, encoder.name, encoder.precision)
        answerer = None
        resolved: dict[str, Any] = settings.model_dump(mode="json") | {
            "command": "icl",
            "model": encoder.name,
            "precision": encoder.precision,
            "fingerprint": encoder.fingerprint,
            "manifest": data.manifest.digest,
            **plan.facts,
        }
        if settings.lvlm is not None:
            lvlm, fingerprint = open_lvlm(settings, encoder.device, cache)
            answerer = LvlmScorer(lvlm, fingerprint, cache, settings.resume)
            resolved["lvlm_fingerprint"] = fingerprint
        path = settings.output or default_folder("icl", data.manifest.name, encoder.name)
        with RunFolder(path, resolved) as folder:
            job = _Job(settings, plan, data, encoder, cache, store, answerer, folder)
            return _evaluate(job, progress)


@dataclass(frozen=True)
class _Job:
    settings: Settings
    plan: DemonstrationPlan
    data: Dataset
    encoder: Encoder
    cache: EmbeddingCache
    store: KeyStore
    answerer: LvlmScorer | None
    folder: RunFolder


def _evaluate(job: _Job, progress: Progress | None) -> IclRun:
    pool = gather(job.data, job.encoder, job.settings, job.cache, job.folder.fail, progress)
    stored = _in_store(job, pool)
    usable = ~stored & (pool.labels != UNLABELLED)
    if excluded := int(stored.sum()):
        logger.warning(f"{excluded:,} of {len(pool):,} images are in the store and take no part.")
    if not usable.any():
        raise DataError(
            "Expected labelled images that are not in the store, got none; evaluate on another"
            " split than the one that the store was built from."
        )
    pool = pool.rows(np.flatnonzero(usable))
    classes = job.data.classes
    prompts = choose_prompts(job.settings, job.data.manifest)
    ensemble = choose_ensemble(job.settings)
    weights = class_weights(
        job.encoder, prompts, classes, job.cache, ensemble, seed=job.settings.seed
    )
    head = ZeroShot(job.encoder.logit_scale, job.encoder.logit_bias, ensemble.renormalise)
    zero_shot = head.fit(text_weights=weights).logits(pool.features)
    texts = weights if job.plan.selection.needs_texts else None
    demonstrator = DemonstrationFinder(job.store, job.plan, classes, job.encoder.fingerprint, texts)
    items = _answer(job, pool, demonstrator, zero_shot, progress)
    kept = np.array(sorted(items), dtype=np.int64)
    if not len(kept):
        raise DataError("Expected images that could be asked about, got none; see the failures.")
    pool, zero_shot = pool.rows(kept), zero_shot[torch.from_numpy(kept)]
    context = {
        "data": job.data.manifest.name,
        "split": job.settings.split or "",
        "model": job.encoder.name,
        "precision": job.encoder.precision,
        "demonstrations": f"{job.plan.shots}, {job.plan.selection.name}",
    }
    measure = MethodScorer(pool, classes, job.folder, job.settings, context)
    answered = [items[i] for i in kept]
    methods = scores_by_method(
        answered, zero_shot, job.plan.shots, job.answerer.lvlm.name if job.answerer else None
    )
    comparison = measure.compare(methods, answered, job.plan.choices)
    job.folder.results = to_json(comparison) | {"excluded": excluded}
    return IclRun(job.folder.path, len(pool), job.folder.failures, comparison, excluded)


def _in_store(job: _Job, pool: FeaturePool) -> NDArray[np.bool_]:
    """Which images the store holds: one that shows itself answers itself.

    Images are the same by their content; by their id where the content of one cannot be read.
    Folders number their images alike, so equal ids alone mean nothing.
    """
    ids, uris = (job.store.items[name].to_pylist() for name in ("id", "uri"))
    stored = contents_of(uris, job.cache)
    contents, named = set(stored.values()), set(ids)
    unread = {identity for identity, uri in zip(ids, uris, strict=True) if uri not in stored}
    own = contents_of(pool.uris, job.cache)

    def holds(identity: str, uri: str) -> bool:
        if uri not in own:
            return identity in named
        return own[uri] in contents or identity in unread

    return np.array([holds(*item) for item in zip(pool.ids, pool.uris, strict=True)])


def _answer(
    job: _Job,
    pool: FeaturePool,
    demonstrator: DemonstrationFinder,
    zero_shot: Float[Tensor, "n c"],
    progress: Progress | None,
) -> dict[int, IclOutcome]:
    """What came out for each image that could be asked about; a row on disk for each at once."""
    wording = PromptWording(job.settings.instruction, job.settings.question)
    classes, settings = job.data.classes, job.settings
    asker = QuestionBuilder(demonstrator, job.plan, classes, wording, settings.order, settings.seed)
    items, reused = {}, 0
    with job.folder.part(ANSWERS).open("w", encoding="utf-8") as file:
        for i, (identity, uri) in enumerate(zip(pool.ids, pool.uris, strict=True)):
            query = pool.features[i]
            shown = demonstrator.select(query)
            said, among = None, None
            try:
                if job.answerer is not None or job.plan.choices is not None:
                    question = asker.ask(
                        identity, uri, query, shown, zero_shot[i], int(pool.labels[i])
                    )
                    among = question.labels
                if job.answerer is not None:
                    scores, kept = job.answerer.scores(question)
                    said = over_classes(scores, question.labels, len(classes))
                    reused += kept
            except ItemError as error:
                if settings.strict:
                    raise
                job.folder.fail(Failure(identity, uri, "answer", str(error)))
                continue
            items[i] = IclOutcome(vote([one.label for one in shown], len(classes)), said, among)
            _write(file, _row(pool, i, shown, items[i], zero_shot[i], classes))
            if progress is not None:
                progress(i + 1, len(pool))
    if job.answerer is not None:
        logger.info(
            f"{job.answerer.lvlm.name} was asked about {len(items):,} images ({reused:,} of them"
            " before)"
        )
    return items


def _row(
    pool: FeaturePool,
    i: int,
    shown: Sequence[Demonstration],
    item: IclOutcome,
    zero_shot: Tensor,
    classes: ClassList,
) -> dict[str, Any]:
    def best(scores: Tensor | None) -> str | None:
        return None if scores is None else classes.names[int(scores.argmax())]

    among = None
    if item.among is not None and len(item.among) < len(classes):
        among = [classes.names[label] for label in item.among]
    return {
        "id": pool.ids[i],
        "uri": pool.uris[i],
        "label": classes.names[int(pool.labels[i])],
        "answer": best(item.said),
        "vote": best(item.vote) if shown else None,
        "zero_shot": best(zero_shot),
        "among": among,
        "demonstrations": [one.id for one in shown],
        "shown": [classes.names[one.label] for one in shown],
        "similarities": [round(one.similarity, 6) for one in shown],
    }


def _write(file: TextIO, row: dict[str, Any]) -> None:
    file.write(json.dumps(row, ensure_ascii=False) + "\n")
    file.flush()
