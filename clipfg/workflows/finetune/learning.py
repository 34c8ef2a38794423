"""From data to examples: pixels, captions, regions, hard negatives, and constants of the base."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from clipfg.embedding.pipeline import default_workers
from clipfg.encoders.checkpoint import CheckpointEncoder
from clipfg.errors import DataError, UsageError
from clipfg.mining.captions import captions_of
from clipfg.mining.negatives import Contest, mine_negatives
from clipfg.options import FinetuneOptions
from clipfg.training.batches import Examples
from clipfg.training.pixels import load_pixels
from clipfg.training.teacher import crop_features, distillation_targets
from clipfg.types import UNLABELLED, Manifest
from clipfg.workflows.dataset import Dataset
from clipfg.workflows.finetune.regions import with_regions
from clipfg.workflows.session import Session

logger = logging.getLogger("clipfg")

MOST_PHRASES = 512
"""Phrases of the vocabulary that regions are compared with; of more, the most frequent."""


@dataclass(frozen=True)
class Needs:
    """What the losses of a recipe, or a measurement, ask of the data."""

    captions: bool = True
    regions: bool = False
    negatives: int = 0
    targets: bool = False


def examples_of(
    session: Session[FinetuneOptions], data: Dataset, encoder: CheckpointEncoder, needs: Needs
) -> tuple[Examples, list[Contest]]:
    """The examples of some images, and the contests of their captions with hard negatives.

    Images that cannot be used go to the session's failures. Raises `DataError` for images without
    what the losses need, a sentence that names it.
    """
    manifest = data.manifest
    if needs.regions or needs.targets:
        manifest = with_regions(session, manifest, encoder)
    pixels = load_pixels(
        manifest,
        encoder.preprocessing,
        workers=session.options.workers or default_workers(),
        progress=session.progress("Decoding"),
        on_failure=session.failures.add,
    )
    if not len(pixels):
        raise DataError(f"Expected images that can be used, {data.name} has none.")
    used = replace(manifest, table=manifest.table.take(pixels.rows.numpy()))
    sentences = class_sentences(session, used)
    captions = captions_of(used, sentences, session.options.seed)
    if needs.captions:
        logger.info(captions.remark)
    labels = used.labels.astype(np.int64)
    regions = used.column("regions") or [()] * len(used)
    phrases = [tuple(one["phrase"] or "" for one in own or ()) for own in regions]
    examples = Examples(
        pixels,
        torch.from_numpy(labels),
        captions.texts,
        [tuple(texts) for texts in sentences],
        phrases,
    )
    contests = _contests(session, examples) if needs.negatives else []
    if contests:
        own: list[dict[str, tuple[str, ...]]] = [{} for _ in range(len(examples))]
        for one in contests:
            own[one.item][one.true] = tuple(negative.text for negative in one.negatives)
        examples = replace(examples, negatives=own)
    if needs.targets:
        examples = _with_targets(session, used, examples, encoder)
    return examples, contests


def class_sentences(
    session: Session[FinetuneOptions], manifest: Manifest
) -> Sequence[Sequence[str]]:
    """What the prompt set says of each class; nothing where there are no classes."""
    classes = manifest.classes
    if classes is None or not (manifest.labels != UNLABELLED).any():
        return ()
    if classes.texts:
        return [classes.texts.get(name, (name,)) for name in classes.names]
    prompts = session.prompts(manifest)
    made = session.ensemble().sentences(prompts, classes, session.options.seed)
    return made.by_class()


def _contests(session: Session[FinetuneOptions], examples: Examples) -> list[Contest]:
    known = [
        tuple(sorted(truths)) + phrases
        for truths, phrases in zip(examples.truths, examples.phrases, strict=True)
    ]
    return mine_negatives(
        examples.captions,
        known=known,
        labels=examples.labels.numpy(),
        seed=session.options.seed,
    )


def _with_targets(
    session: Session[FinetuneOptions],
    manifest: Manifest,
    examples: Examples,
    encoder: CheckpointEncoder,
) -> Examples:
    """The examples with what the base sees in their regions."""
    counts: dict[str, int] = {}
    for phrase in (text for own in examples.phrases for text in own if text):
        counts[phrase] = counts.get(phrase, 0) + 1
    vocabulary = sorted(counts, key=lambda text: (-counts[text], text))[:MOST_PHRASES]
    if not vocabulary:
        raise DataError(
            f"Expected phrases that regions can be compared with, {manifest.name} has none; give"
            " regions with phrases, captions or descriptions of the classes."
        )
    whole, crops, mask = crop_features(manifest, encoder, session.cache, session.progress)
    if not mask.any():
        raise DataError(f"Expected regions that can be cut out, {manifest.name} has none.")
    texts = session.embed_texts(vocabulary, "phrases of regions")
    constants = distillation_targets(whole, crops, mask, texts)
    return replace(examples, vocabulary=tuple(vocabulary), constants=constants)


def check_trainable(encoder: object) -> CheckpointEncoder:
    """The encoder. Raises `UsageError` for one whose weights are not in a checkpoint's files."""
    if not isinstance(encoder, CheckpointEncoder):
        raise UsageError("This encoder cannot be fine-tuned: its weights are not in a checkpoint.")
    return encoder
