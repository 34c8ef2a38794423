"""From data to examples: captions, regions, pixels, hard negatives, and what the base sees."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import normalize

from clipfg.embedding.framing import Framing
from clipfg.embedding.pipeline import default_workers
from clipfg.encoders.checkpoint import CheckpointEncoder
from clipfg.errors import DataError
from clipfg.mining.captions import captions_of
from clipfg.mining.negatives import Contest, mine_negatives, most_confused
from clipfg.mining.spans import spans_of
from clipfg.options import FinetuneOptions
from clipfg.training.batches import Examples
from clipfg.training.pixels import load_pixels
from clipfg.training.recipes import Recipe
from clipfg.training.teacher import (
    Seeing,
    distillation_targets,
    embedded,
    naming,
    region_features,
)
from clipfg.types import COLUMNS, UNLABELLED, Manifest
from clipfg.workflows.class_texts import named_ensemble, named_prompts, session_texts
from clipfg.workflows.dataset import Dataset
from clipfg.workflows.finetune.regions import with_regions
from clipfg.workflows.session import Session

logger = logging.getLogger("clipfg")

TRIAL = 500
"""About how many images teachers are compared on."""
SEEING: tuple[Seeing, Seeing] = ("crops", "dense")
MOST_PHRASES = 512
"""Phrases of the vocabulary that regions are compared with; of more, the most frequent."""


@dataclass(frozen=True)
class Material:
    """Examples, and where they come from."""

    examples: Examples
    manifest: Manifest
    """Of the images that could be used, in the order of the examples."""


def gather(
    session: Session[FinetuneOptions],
    data: Dataset,
    encoder: CheckpointEncoder,
    recipe: Recipe,
    needs: frozenset[str],
    framing: Framing | None = None,
) -> Material:
    """What some images give to learn from, or to measure on; `needs` are those of the losses.

    With `framing`, items are cut out of their images; not together with regions.

    Images that cannot be used go to the session's failures. Raises `DataError` for images without
    what is needed, a sentence that says what to give.
    """
    options, manifest = session.options, data.manifest
    sentences = class_sentences(session, manifest)
    captions = captions_of(manifest, sentences, options.seed)
    manifest = _with_captions(manifest, captions.texts)
    if needs & {"regions", "phrases", "targets"}:
        spans = spans_of(manifest, captions.texts, sentences)
        manifest = with_regions(
            manifest,
            recipe.proposals,
            encoder=encoder,
            spans=spans,
            most=recipe.proposed,
            offline=options.offline,
        )
    pixels = load_pixels(
        manifest,
        encoder.preprocessing,
        framing=framing,
        workers=options.workers or default_workers(),
        progress=session.progress("Decoding"),
        on_failure=session.failures.add,
    )
    if not len(pixels):
        raise DataError(f"Expected images that can be used, {data.name} has none.")
    manifest = replace(manifest, table=manifest.table.take(pixels.rows.numpy()))
    regions = manifest.column("regions") or [()] * len(manifest)
    examples = Examples(
        pixels,
        torch.from_numpy(manifest.labels.astype(np.int64)),
        [tuple(texts) for texts in manifest.column("captions") or ()],
        [tuple(texts) for texts in sentences],
        [tuple(one["phrase"] or "" for one in own or ()) for own in regions],
    )
    if needs & {"phrases", "targets"}:
        examples = _with_phrases(session, manifest, examples, encoder, recipe, needs)
    if "negatives" in needs:
        taken = _taken_for(session, manifest, examples, encoder, framing)
        examples = _with_negatives(examples, mined(session, examples, taken))
    return Material(examples, manifest)


def class_sentences(
    session: Session[FinetuneOptions], manifest: Manifest
) -> Sequence[Sequence[str]]:
    """What is said of each class: its own texts, else those of the prompt set; nothing without
    classes.
    """
    classes = manifest.classes
    if classes is None or not (manifest.labels != UNLABELLED).any():
        return ()
    if classes.texts:
        return [classes.texts.get(name, (name,)) for name in classes.names]
    prompts = named_prompts(session.options, manifest)
    made = named_ensemble(session.options).sentences(prompts, classes, session.options.seed)
    found: list[list[str]] = [[] for _ in classes.names]
    for owner, text in zip(made.owners.tolist(), made.texts, strict=True):
        found[owner].append(text)
    return found


def _with_captions(manifest: Manifest, texts: Sequence[Sequence[str]]) -> Manifest:
    table = manifest.table
    if "captions" in table.column_names:
        table = table.drop_columns(["captions"])
    column = pa.array([list(own) for own in texts], COLUMNS["captions"])
    return replace(manifest, table=table.append_column("captions", column))


def mined(
    session: Session[FinetuneOptions],
    examples: Examples,
    taken: Float[Tensor, "c c"] | None = None,
) -> list[Contest]:
    """The contests of the captions with hard negatives. Raises `DataError` where there are none.

    Beside swaps these are captions of look-alike classes: those most confused in `taken`, by
    default those whose texts the base finds most similar.
    """
    if taken is None and examples.class_texts:
        means = _class_means(session, examples)
        taken = (means @ means.T).clamp(min=0)
    known = [
        (*sorted(truths), *phrases)
        for truths, phrases in zip(examples.truths, examples.phrases, strict=True)
    ]
    labels = examples.labels.numpy()
    return mine_negatives(
        examples.captions,
        known=known,
        labels=labels,
        look_alikes=() if taken is None else most_confused(taken.numpy()),
        seed=session.options.seed,
    )


def _taken_for(
    session: Session[FinetuneOptions],
    manifest: Manifest,
    examples: Examples,
    encoder: CheckpointEncoder,
    framing: Framing | None = None,
) -> Float[Tensor, "c c"] | None:
    """How much the base takes images of a row's class for a column's; None without labels.

    Of training images alone: contests that are measured must not be those that the base loses.
    """
    known = examples.labels != UNLABELLED
    if not known.any():
        return None
    means = _class_means(session, examples)
    progress = session.progress("Embedding images")
    images = embedded(manifest, encoder, session.cache, progress, framing)
    shares = (encoder.logit_scale * images[known] @ means.T).softmax(dim=1)
    return torch.zeros(len(means), len(means)).index_add_(0, examples.labels[known], shares)


def _class_means(session: Session[FinetuneOptions], examples: Examples) -> Float[Tensor, "c d"]:
    """Of each class's texts."""
    texts = [text for own in examples.class_texts for text in own]
    owners = [row for row, own in enumerate(examples.class_texts) for _ in own]
    features = torch.from_numpy(session_texts(session, texts, "class texts"))
    sums = torch.zeros(len(examples.class_texts), features.shape[1])
    return normalize(sums.index_add_(0, torch.tensor(owners), features), dim=-1)


def _with_negatives(examples: Examples, contests: Sequence[Contest]) -> Examples:
    own: list[dict[str, tuple[str, ...]]] = [{} for _ in range(len(examples))]
    for one in contests:
        own[one.item][one.true] = tuple(negative.text for negative in one.negatives)
    return replace(examples, negatives=own)


def _with_phrases(
    session: Session[FinetuneOptions],
    manifest: Manifest,
    examples: Examples,
    encoder: CheckpointEncoder,
    recipe: Recipe,
    needs: frozenset[str],
) -> Examples:
    """The examples with a phrase for each region, and with what the base sees in these.

    A region without a phrase gets that span of the picture's texts which the base finds most
    similar to its crop.
    """
    spans = spans_of(manifest, examples.captions, examples.class_texts)
    counts = Counter(text for own in (*examples.phrases, *spans) for text in own if text)
    if not counts:
        raise DataError(
            f"Expected phrases that regions can be compared with, {manifest.name} has none; give"
            " regions with phrases, captions, or descriptions of the classes."
        )
    named = all(text for own in examples.phrases for text in own)
    if named and "targets" not in needs:
        return examples
    texts = list(counts)
    rows = torch.from_numpy(session_texts(session, texts, "spans", "regions"))
    features = dict(zip(texts, rows, strict=True))
    crops, mask = _seen(session, manifest, encoder, recipe, examples.phrases, features)
    if not named:
        phrases = [
            _named(own, found, crop, features)
            for own, found, crop in zip(examples.phrases, spans, crops, strict=True)
        ]
        examples = replace(examples, phrases=phrases)
    if "targets" not in needs:
        return examples
    used = Counter(text for own in examples.phrases for text in own if text)
    vocabulary = tuple(text for text, _ in used.most_common(MOST_PHRASES))
    whole = embedded(manifest, encoder, session.cache, session.progress("Embedding images"))
    known = torch.stack([features[text] for text in vocabulary])
    constants = distillation_targets(whole, crops, mask, known)
    return replace(examples, vocabulary=vocabulary, constants=constants)


def _seen(
    session: Session[FinetuneOptions],
    manifest: Manifest,
    encoder: CheckpointEncoder,
    recipe: Recipe,
    phrases: Sequence[Sequence[str]],
    features: dict[str, Float[Tensor, " d"]],
) -> tuple[Float[Tensor, "n r d"], Bool[Tensor, "n r"]]:
    """What the base sees in the regions, in the way that the recipe names or that names more."""

    def seen(part: Manifest, teacher: Seeing) -> tuple[Tensor, Tensor]:
        return region_features(part, encoder, session.cache, teacher, session.progress)

    teacher = recipe.teacher
    if teacher == "auto":
        teacher = "crops"
        if not encoder.tower.silent and any(text for own in phrases for text in own):
            rows = np.arange(0, len(manifest), max(1, len(manifest) // TRIAL))
            part = replace(manifest, table=manifest.table.take(rows))
            own = [phrases[row] for row in rows.tolist()]
            crops, dense = (naming(seen(part, one)[0], own, features) for one in SEEING)
            teacher = "dense" if dense > crops else "crops"
            logger.info(
                f"Teacher: {teacher}; crops name {crops:.1%} of the regions of {len(part):,} images"
                f" among {len(features):,} phrases, the dense map {dense:.1%}"
            )
    return seen(manifest, teacher)


def _named(
    phrases: tuple[str, ...],
    spans: Sequence[str],
    crops: Float[Tensor, "r d"],
    features: dict[str, Float[Tensor, " d"]],
) -> tuple[str, ...]:
    if not spans:
        return phrases
    likely = (crops[: len(phrases)] @ torch.stack([features[text] for text in spans]).T).argmax(1)
    return tuple(own or spans[best] for own, best in zip(phrases, likely.tolist(), strict=True))
