"""What a run learns from, without what it is measured on, and what it is measured on."""

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import numpy as np
from torch import Tensor

from clipfg.errors import DataError
from clipfg.mining.negatives import Contest
from clipfg.prompting.rendering import Sentences
from clipfg.training.leakage import find_leaks, leaks_said
from clipfg.training.student import Student
from clipfg.training.teacher import embedded
from clipfg.workflows.class_texts import named_ensemble, named_prompts
from clipfg.workflows.dataset import Dataset
from clipfg.workflows.finetune.job import Job
from clipfg.workflows.finetune.learning import Material, gather, mined
from clipfg.workflows.finetune.probe import EncodeTexts, Probe

logger = logging.getLogger("clipfg")

MOST_CONTESTS = 1000
"""Of captions and hard negatives on test images; their texts are most of what is measured."""


def learnt_by(job: Job, student: Student) -> tuple[Material, str]:
    """What is trained on, and a remark on images left out because they are also measured on."""
    train, *held = job.parts.each
    cache, framing = job.session.cache, job.framing
    features, *others = (
        embedded(part.manifest, job.encoder, cache, job.session.progress("Leaks"), framing)
        for part in job.parts.each
    )
    leaks = [
        leak
        for part, theirs in zip(held, others, strict=True)
        for leak in find_leaks(train.manifest, part.manifest, (features, theirs), cache, framing)
    ]
    remark = ""
    if leaks:
        said = leaks_said(leaks, train.manifest, job.parts.test.manifest)
        remark = f"Left out of training: {said}"
        logger.warning(remark)
        out = {leak.row for leak in leaks}
        train = train.rows(np.array([r for r in range(len(train)) if r not in out], np.intp))
    found = gather(job.session, train, job.encoder, job.recipe, job.needs, framing)
    if job.needs & {"views", "patches", "regions"}:  # the tower has to see the pixels anyway
        return found, remark
    return _with_frozen(job, found, student), remark


def probe_of(job: Job, data: Dataset, student: Student) -> Probe:
    """Captions and classes of some images, to measure on."""
    needs = frozenset({"captions"})
    found = gather(job.session, data, job.encoder, job.recipe, needs, job.framing)
    found = _with_frozen(job, found, student)
    weights, pictures = _class_weights(job, data), found.manifest.groups
    return Probe(found.examples, (), weights, job.parts.unseen, pictures)


def with_contests(job: Job, probe: Probe) -> Probe:
    """With contests of its captions, at most `MOST_CONTESTS` of them, drawn by the seed."""
    contests: list[Contest] = []
    with suppress(DataError):  # no caption states anything that could be changed
        contests = mined(job.session, probe.examples)
    order = np.random.default_rng(job.seed).permutation(len(contests))
    return replace(probe, contests=[contests[i] for i in np.sort(order[:MOST_CONTESTS])])


def _with_frozen(job: Job, material: Material, student: Student) -> Material:
    """What a frozen image tower makes of unchanged images, from the cache."""
    if student.trains_images:
        return material
    progress = job.session.progress("Embedding images")
    seen = embedded(material.manifest, job.encoder, job.session.kept, progress, job.framing)
    constants = {**material.examples.constants, "images": seen}
    return replace(material, examples=replace(material.examples, constants=constants))


def _class_weights(job: Job, data: Dataset) -> Callable[[EncodeTexts], Tensor] | None:
    classes = data.manifest.classes
    if classes is None or not (data.manifest.labels >= 0).any():
        return None
    ensemble = named_ensemble(job.session.options)
    prompts = named_prompts(job.session.options, data.manifest)
    sentences: Sentences = ensemble.sentences(prompts, classes, job.seed)
    scale = job.encoder.logit_scale
    return lambda encode: ensemble.weights(encode(sentences.texts), sentences, None, scale)
