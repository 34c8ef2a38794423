"""Zero-shot: how well class names alone tell labelled images apart."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from jaxtyping import Float
from torch import Tensor

from clipfg.confidence import AnswerColumns
from clipfg.embedding.cache import EmbeddingCache
from clipfg.encoders import Encoder
from clipfg.errors import DataError, UsageError
from clipfg.evaluation.evaluator import Evaluator
from clipfg.evaluation.page import render_page
from clipfg.evaluation.report.report import Report
from clipfg.evaluation.report.rolled_up import RolledUp, rolled_up
from clipfg.evaluation.report.side_by_side import SideBySide, side_by_side
from clipfg.evaluation.serialization import to_json
from clipfg.heads import Head
from clipfg.heads.transduction import TRANSDUCTIONS
from clipfg.heads.zero_shot import ZeroShot
from clipfg.prompting import PromptSet
from clipfg.prompting.criteria import CHOSEN
from clipfg.prompting.ensembling import Ensemble, make_ensemble
from clipfg.settings import Settings
from clipfg.types import UNLABELLED, ClassList, Progress
from clipfg.workflows.answers import answers_for, say_guarantees
from clipfg.workflows.classify import Run, classify
from clipfg.workflows.mistakes import surest_mistakes
from clipfg.workflows.pool import FeaturePool, gather, in_blocks, score
from clipfg.workflows.run_folder import RunFolder, default_folder, file_name
from clipfg.workflows.session import (
    Dataset,
    check_same_encoder,
    class_weights,
    open_cache,
    open_dataset,
    open_encoder,
)
from clipfg.workflows.zeroshot.prompts import PromptChoice, asked_prompts, choose_by_images

logger = logging.getLogger("clipfg")


@dataclass(frozen=True)
class ZeroshotRun(Run):
    """A finished zero-shot evaluation; with several prompt sets, `report` is the first one's."""

    report: Report
    comparison: SideBySide | None = None


@dataclass(frozen=True)
class _Job:
    """What every step of one evaluation needs."""

    settings: Settings
    data: Dataset
    classes: ClassList
    encoder: Encoder
    cache: EmbeddingCache
    ensemble: Ensemble
    folder: RunFolder
    html: bool
    answers: AnswerColumns | None


def zeroshot(dataset: str, **options: Any) -> ZeroshotRun:
    """`clipfg zeroshot` from Python; `options` are those of the command line.

    Raises `ClipfgError`s, as `run_zeroshot` does.
    """
    return run_zeroshot(Settings.resolve(command="zeroshot", dataset=dataset, **options))


def run_zeroshot(
    settings: Settings, *, progress: Progress | None = None, html: bool = False
) -> ZeroshotRun:
    """Classify the labelled images of `settings.dataset` by their class names alone.

    Several prompt sets are compared on one embedding of the images. Raises `ClipfgError`s: data
    that cannot be read or has no labels, a missing encoder.
    """
    ensemble = make_ensemble(settings.ensemble)
    if settings.transductive is not None:
        TRANSDUCTIONS.get(settings.transductive)  # a misspelt name costs no embedding
    data = open_dataset(settings)
    if not (data.manifest.labels != UNLABELLED).any():
        raise DataError(
            f"Expected labelled images to measure accuracy on, and {data.manifest.name} has"
            " none; try `clipfg predict`, which needs no labels."
        )
    answers = answers_for(settings, data.classes, None)
    say_guarantees(answers)
    asked = asked_prompts(settings, data.manifest, data.classes)
    with open_cache(settings) as cache:
        encoder = open_encoder(settings, cache, data)
        if data.features is not None:
            check_same_encoder(data.features, encoder)
        resolved: dict[str, Any] = settings.model_dump(mode="json") | {
            "command": "zeroshot",
            "model": encoder.name,
            "precision": encoder.precision,
            "prompts": ("auto," if asked.auto else "") + ",".join(x.name for x in asked.sets),
            "fingerprint": encoder.fingerprint,
            "manifest": data.manifest.digest,
        }
        path = settings.output or default_folder("zeroshot", data.manifest.name, encoder.name)
        with RunFolder(path, resolved) as folder:
            job = _Job(
                settings, data, data.classes, encoder, cache, ensemble, folder, html, answers
            )
            several = len(asked.sets) > 1
            if several or asked.auto or ensemble.needs_images or settings.transductive:
                done, report, comparison = _with_pool(job, asked, progress)
            else:
                done, report, comparison = *_streamed(job, asked.sets[0], progress), None
    return ZeroshotRun(path, done, folder.failures, report, comparison)


def _streamed(job: _Job, prompts: PromptSet, progress: Progress | None) -> tuple[int, Report]:
    """One prompt set, with no more than a batch of features in memory."""
    head = _head(job, prompts, None)
    evaluator = Evaluator(job.classes, seed=job.settings.seed)
    tally = classify(
        job.data,
        job.encoder,
        head,
        job.classes,
        job.folder,
        job.settings,
        job.cache,
        scoring=job.encoder.scoring,
        evaluator=evaluator,
        answers=job.answers,
        progress=progress,
    )
    _say_done(job, tally.done, tally.reused, tally.seconds)
    report = evaluator.report(_context(job, prompts.name))
    rolled = _rolled_up(job, "predictions.parquet")
    report = replace(report, remarks=prompts.notes, rolled_up=rolled)
    job.folder.results = to_json(report)
    _write_page(job, report, "")
    return tally.done, report


def _with_pool(
    job: _Job, asked: PromptChoice, progress: Progress | None
) -> tuple[int, Report, SideBySide | None]:
    """Sets that are compared or chosen, and methods that look at all images first."""
    pool = gather(job.data, job.encoder, job.settings, job.cache, job.folder.fail, progress)
    _say_done(job, len(pool), pool.reused, pool.seconds)
    sets = asked.sets
    values: dict[str, float] = {}
    if asked.auto:
        best, values = choose_by_images(
            asked.sets,
            pool.features,
            job.encoder,
            job.classes,
            job.cache,
            job.ensemble,
            job.settings.seed,
        )
        sets = (best,)
    names = _file_names([prompts.name for prompts in sets])
    evaluated = [
        _evaluate(job, pool, prompts, values, f"predictions{name}.parquet")
        for prompts, name in zip(sets, names, strict=True)
    ]
    reports = [report for report, _ in evaluated]
    if len(sets) == 1:
        job.folder.results = to_json(reports[0])
        _write_page(job, reports[0], "")
        return len(pool), reports[0], None
    hits = [evaluator.outcomes.hits for _, evaluator in evaluated]
    comparison = side_by_side(
        {prompts.name: report for prompts, report in zip(sets, reports, strict=True)},
        hits,
        job.settings.seed,
    )
    job.folder.results = to_json(comparison)
    for report, name in zip(comparison.reports.values(), names, strict=True):
        _write_page(job, report, name)
    return len(pool), next(iter(comparison.reports.values())), comparison


def _evaluate(
    job: _Job, pool: FeaturePool, prompts: PromptSet, values: Mapping[str, float], file: str
) -> tuple[Report, Evaluator]:
    head = _head(job, prompts, pool.features)
    evaluator = Evaluator(job.classes, seed=job.settings.seed)
    blocks = in_blocks(pool.features, head.logits)
    if job.settings.transductive is not None:
        refine = TRANSDUCTIONS.get(job.settings.transductive)
        blocks = [refine(pool.features, head.logits(pool.features))]
    score(
        pool,
        blocks,
        job.classes,
        job.folder.part(file),
        top_k=job.settings.top_k,
        scoring="softmax" if job.settings.transductive else job.encoder.scoring,
        evaluator=evaluator,
        answers=job.answers,
    )
    looked = []
    if values:
        looked.append(f"prompts chosen by {CHOSEN}")
    if job.ensemble.needs_images:
        looked.append(f"ensemble {job.ensemble.name}")
    if job.settings.transductive:
        looked.append(job.settings.transductive)
    report = evaluator.report(_context(job, prompts.name))
    remarks = list(prompts.notes)
    if values:
        listed = ", ".join(f"{name} {value:.3f}" for name, value in values.items())
        remarks.append(f"The prompts were chosen without labels, by {CHOSEN}: {listed}")
    report = replace(report, remarks=tuple(remarks), rolled_up=_rolled_up(job, file))
    return replace(report, transductive=", ".join(looked)), evaluator


def _rolled_up(job: _Job, file: str) -> RolledUp | None:
    level = job.settings.roll_up
    if level is None:
        return None
    return rolled_up(job.folder.part(file), job.classes, level, job.settings.seed)


def _head(job: _Job, prompts: PromptSet, images: Float[Tensor, "n d"] | None) -> Head:
    weights = class_weights(
        job.encoder,
        prompts,
        job.classes,
        job.cache,
        job.ensemble,
        images=images,
        seed=job.settings.seed,
    )
    head = ZeroShot(job.encoder.logit_scale, job.encoder.logit_bias, job.ensemble.renormalise)
    return head.fit(text_weights=weights)


def _context(job: _Job, prompts: str) -> dict[str, str]:
    return {
        "data": job.data.manifest.name,
        "split": job.settings.split or "",
        "model": job.encoder.name,
        "precision": job.encoder.precision,
        "prompts": prompts,
        "ensemble": "" if job.ensemble.name == "mean" else job.ensemble.name,
    }


def _file_names(names: Sequence[str]) -> list[str]:
    """What is put into the names of each set's files; nothing where there is one set."""
    if len(names) == 1:
        return [""]
    slugs = [f"-{file_name(name)}" for name in names]
    if len(set(slugs)) < len(slugs):
        raise UsageError(f"Expected prompt sets with different names, got {', '.join(names)}.")
    return slugs


def _write_page(job: _Job, report: Report, name: str) -> None:
    """`name` is what the report's files have in theirs: nothing, where there is one report."""
    if job.html:
        mistakes = surest_mistakes(job.folder.part(f"predictions{name}.parquet"))
        page = render_page(report, mistakes)
        job.folder.part(f"report{name}.html").write_text(page, encoding="utf-8")


def _say_done(job: _Job, done: int, reused: int, seconds: float) -> None:
    logger.info(
        f"Classified {done:,} images in {seconds:.1f} s ({reused:,} were embedded before),"
        f" skipped {job.folder.failures:,}"
    )
