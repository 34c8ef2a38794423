"""Few-shot: how well heads do with a few labelled images of each class, and the head itself."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clipfg.confidence import AnswerColumns
from clipfg.embedding.cache import EmbeddingCache
from clipfg.encoders import Encoder
from clipfg.errors import DataError, UsageError
from clipfg.evaluation.curves.learning_curve import LearningCurve
from clipfg.evaluation.page import render_page
from clipfg.evaluation.report.rolled_up import rolled_up
from clipfg.evaluation.serialization import to_json
from clipfg.heads import Head
from clipfg.heads.saving import save_head
from clipfg.heads.support import Support
from clipfg.settings import Settings
from clipfg.types import Progress
from clipfg.workflows.answers import EXTRA, asked_of, say_guarantees
from clipfg.workflows.classify import Run
from clipfg.workflows.fewshot.calibration import CalibratedHead, check_asked, learn, measure
from clipfg.workflows.fewshot.features import Images, gather_images
from clipfg.workflows.fewshot.heads import DEFAULT, ZERO_SHOT, HeadSpec, parse_heads
from clipfg.workflows.fewshot.scoring import judge
from clipfg.workflows.fewshot.trials import HeadSet, Trial, by_folds, by_shots
from clipfg.workflows.pool import FeaturePool, gather, in_blocks, score
from clipfg.workflows.protocol.splits import SupportAndTest, open_support_and_test
from clipfg.workflows.protocol.support_sets import ALL, Shots, parse_shots
from clipfg.workflows.run_folder import RunFolder, default_folder
from clipfg.workflows.session import (
    Dataset,
    check_same_encoder,
    choose_ensemble,
    choose_prompts,
    class_weights,
    open_cache,
    open_encoder,
)

logger = logging.getLogger("clipfg")

SHOTS = "1,2,4,8,16"


@dataclass(frozen=True)
class FewshotRun(Run):
    """A finished few-shot run: its learning curve, and where its head was saved, if it was."""

    curve: LearningCurve
    head: Path | None = None


@dataclass(frozen=True)
class _Job:
    """What every step of one run needs."""

    settings: Settings
    roles: SupportAndTest
    shots: tuple[Shots, ...]
    asked: tuple[HeadSpec, ...]
    seeds: tuple[int, ...]
    encoder: Encoder | None
    cache: EmbeddingCache
    folder: RunFolder
    progress: Progress | None

    def embed(self, data: Dataset) -> FeaturePool:
        """The images' features; those that fail are recorded."""
        return gather(
            data, self.encoder, self.settings, self.cache, self.folder.fail, self.progress
        )


def fewshot(dataset: str | None = None, **options: Any) -> FewshotRun:
    """`clipfg fewshot` from Python; `options` are those of the command line (`heads`, `shots`).

    Raises `ClipfgError`s, as `run_fewshot` does.
    """
    return run_fewshot(Settings.resolve(command="fewshot", dataset=dataset, **options))


def run_fewshot(
    settings: Settings, *, progress: Progress | None = None, html: bool = False
) -> FewshotRun:
    """Fit heads on drawn supports of `settings.dataset` and compare them on its test images.

    With own labels and no data set, accuracy is estimated on held-out folds of them. Raises
    `ClipfgError`s: misspelt heads and shots, data without labels or split, a missing encoder.
    """
    given = settings.support is not None or settings.own_labels is not None
    shots = parse_shots(settings.shots or (ALL if given else SHOTS))
    asked = parse_heads(settings.heads or DEFAULT)
    _check_place(settings.save)
    roles = open_support_and_test(settings)
    check_asked(settings, roles)
    seeds = tuple(range(settings.seed, settings.seed + settings.seeds))
    with open_cache(settings) as cache:
        encoder = _open_encoder(settings, cache, roles)
        resolved: dict[str, Any] = settings.model_dump(mode="json") | {
            "command": "fewshot",
            "model": encoder.name if encoder else None,
            "precision": encoder.precision if encoder else None,
            "heads": ",".join(spec.name for spec in asked),
            "shots": ",".join(map(str, shots)),
            "fingerprint": _fingerprint(roles, encoder),
            "manifest": (roles.test or roles.support).manifest.digest,
            "support_manifest": roles.support.manifest.digest,
        }
        model = encoder.name if encoder else ""
        path = settings.output or default_folder("fewshot", roles.name, model)
        with RunFolder(path, resolved) as folder:
            job = _Job(settings, roles, shots, asked, seeds, encoder, cache, folder, progress)
            learners = _learners(job)
            images = gather_images(
                roles, shots, seeds, job.embed, same_ids=settings.own_labels is None
            )
            support = _support(job, images)
            if images.test is None:
                curve, known = _on_folds(job, images, learners, support)
            else:
                curve, known = _on_test(job, images, learners, support, images.test)
            folder.results = to_json(curve)
            folder.part("curve.png").write_bytes(curve.grid.chart().to_png())
            if html:
                folder.part("report.html").write_text(render_page(curve), encoding="utf-8")
    if settings.save is not None:  # a full disk here costs no result
        _save(job, images, learners, known, settings.save)
    done = len(images.support) + (len(images.test) if images.test else 0)
    return FewshotRun(path, done, folder.failures, curve, settings.save)


def _check_place(path: Path | None) -> None:
    """Raises `UsageError` before any work is done for a head that would have no place to go."""
    if path is not None and (path.is_dir() or not path.absolute().parent.is_dir()):
        raise UsageError(f"Expected --save FILE in a folder that there is, got {path}.")


def _open_encoder(
    settings: Settings, cache: EmbeddingCache, roles: SupportAndTest
) -> Encoder | None:
    """The encoder, or None for features from files whose encoder is not named."""
    parts = [part for part in (roles.test, roles.support) if part is not None]
    from_files = [part.features for part in parts if part.features is not None]
    if len(from_files) == len(parts) and settings.model is None:
        logger.info("No --model is named: there are no class texts, and no zero-shot to begin from")
        return None
    images = next((part for part in parts if part.features is None), parts[0])
    encoder = open_encoder(settings, cache, images)
    for features in from_files:
        check_same_encoder(features, encoder)
    return encoder


def _fingerprint(roles: SupportAndTest, encoder: Encoder | None) -> str:
    if encoder is not None:
        return encoder.fingerprint
    return roles.support.features.fingerprint if roles.support.features else ""


def _learners(job: _Job) -> HeadSet:
    """Who is compared: zero-shot first where there are texts; without them, what needs none."""
    first = job.asked[0]
    if job.encoder is not None:
        scales = {"scale": job.encoder.logit_scale, "bias": job.encoder.logit_bias}
        specs = tuple(dict.fromkeys((HeadSpec(ZERO_SHOT), *job.asked)))
        return HeadSet(specs, first, scales)
    if first.needs_texts:
        raise UsageError(
            f"Expected a head that needs no class texts to come first, got {first.name!r}; name the"
            " --model that made the features, or take --head auto."
        )
    if left := [spec.name for spec in job.asked if spec.needs_texts]:
        logger.warning(f"Left out {', '.join(left)}: class texts are needed; name the --model")
    return HeadSet(tuple(c for c in job.asked if not c.needs_texts), first)


def _support(job: _Job, images: Images) -> Support:
    """All images that may be learnt from, with class texts where there is an encoder."""
    texts = None
    if job.encoder is not None:
        texts = class_weights(
            job.encoder,
            choose_prompts(job.settings, (job.roles.test or job.roles.support).manifest),
            images.classes,
            job.cache,
            choose_ensemble(job.settings),
            seed=job.settings.seed,
        )
    labels = torch.from_numpy(images.support.labels)
    return Support.of("few-shot", images.support.features, labels, texts)


def _on_test(
    job: _Job, images: Images, learners: HeadSet, support: Support, test: FeaturePool
) -> tuple[LearningCurve, CalibratedHead]:
    trials, head = by_shots(
        learners, support, images.draws, job.shots, job.seeds, test.features, job.progress
    )
    most = job.shots[-1]
    part = support.rows(torch.from_numpy(images.draws.rows(0, most)))
    said = f"{most} shots, draw {job.seeds[0]}"
    known = _learn_confidence(job, images, learners, head, part, said)
    _predict(job, images, test, in_blocks(test.features, known.head.logits), known.answers)
    curve = _curve(job, images, learners, trials, test.labels)
    if known.confidence is None or not asked_of(job.settings):
        return curve, known
    found = measure(known, test, images.classes, learners.first.head, job.settings.seed)
    if job.settings.roll_up is not None:
        file = job.folder.part("predictions.parquet")
        rolled = rolled_up(file, images.classes, job.settings.roll_up, job.settings.seed)
        found = replace(found, rolled_up=rolled)
    return replace(curve, reliability=found), known.with_remarks(found.unmet)


def _learn_confidence(
    job: _Job, images: Images, learners: HeadSet, head: Head, part: Support, said: str
) -> CalibratedHead:
    def fit(support: Support) -> Head:
        return learners.fit(learners.first.head, support, job.seeds[0])[0]

    return learn(job.settings, head, part, images.classes, said, fit, job.embed)


def _on_folds(
    job: _Job, images: Images, learners: HeadSet, support: Support
) -> tuple[LearningCurve, CalibratedHead]:
    """An estimate from the support alone; the head is then fitted on all of it."""
    if int(support.counts.max()) < 2:
        raise DataError(
            "Expected two images of a class to estimate accuracy from, got one of each; add"
            " images, or name a labelled --dataset to evaluate on."
        )
    held = by_folds(learners, support, job.seeds, job.progress)
    test = images.support.rows(held.rows)
    _predict(job, images, test, [held.logits])
    folds = len(support.splits(job.seeds[0]))
    estimated = (
        f"Estimated without a test set: each of {len(test):,} images is named by heads that have"
        f" learnt from the other {folds - 1} of {folds} folds. The head that is kept has learnt"
        " from all, so it is likely a little better; images of one object or moment in several"
        " folds make the estimate too good."
    )
    head, _ = learners.fit(learners.first.head, support, job.seeds[0])
    known = _learn_confidence(job, images, learners, head, support, "all images")
    say_guarantees(known.answers)
    return _curve(job, images, learners, held.trials, test.labels, estimated), known


def _predict(
    job: _Job,
    images: Images,
    test: FeaturePool,
    blocks: Iterable[Tensor],
    answers: AnswerColumns | None = None,
) -> None:
    score(
        test,
        blocks,
        images.classes,
        job.folder.part("predictions.parquet"),
        top_k=job.settings.top_k,
        scoring="softmax",
        answers=answers,
    )


def _curve(
    job: _Job,
    images: Images,
    learners: HeadSet,
    trials: list[Trial],
    labels: NDArray[np.int64],
    estimated: str = "",
) -> LearningCurve:
    draws = f"{len(job.seeds)} draws" if len(job.seeds) > 1 else f"seed {job.seeds[0]}"
    context = {
        "data": job.roles.name,
        "learnt from": job.roles.source,
        "tested on": job.roles.tested,
        "supports": draws,
        "model": job.encoder.name if job.encoder else "",
        "precision": job.encoder.precision if job.encoder else "",
    }
    return judge(
        learners,
        trials,
        labels,
        len(images.classes),
        context=context,
        remarks=images.remarks,
        estimated=estimated,
    )


def _save(job: _Job, images: Images, learners: HeadSet, known: CalibratedHead, path: Path) -> None:
    """Write the first contender's head with all that `clipfg predict` needs to use it."""
    encoder = job.encoder
    save_head(
        path,
        known.head,
        images.classes,
        _fingerprint(job.roles, encoder),
        encoder.name if encoder else "",
        encoder.precision if encoder else "",
        {EXTRA: known.confidence.to_fields()} if known.confidence else None,
    )
    logger.info(f"Saved {learners.first.name} ({known.said}): {path}")
