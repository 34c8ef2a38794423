"""Opening what every job stands on: the cache, the data, the encoder, the class weights."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from clipfg.data.loading import load_dataset
from clipfg.data.readers.class_files import read_class_list
from clipfg.data.sets.catalogue import DATASETS
from clipfg.embedding.cache import EmbeddingCache, remove_cache
from clipfg.embedding.feature_files import read_features
from clipfg.embedding.precision import settle_precision
from clipfg.embedding.texts import embed_texts
from clipfg.encoders import Encoder, load_encoder
from clipfg.encoders.catalogue import DEFAULT_MODEL
from clipfg.errors import DataError, StoreError, UsageError
from clipfg.prompting import PromptSet, load_prompts
from clipfg.prompting.ensembling import Ensemble, make_ensemble
from clipfg.settings import Settings
from clipfg.types import ClassList, Features, Manifest

logger = logging.getLogger("clipfg")

BUILTIN_DATA, BUILTIN_MODEL = "synthflora", "builtin:florette"
FEATURES = "features:"


def open_cache(settings: Settings) -> EmbeddingCache:
    """The embedding cache of `--cache-dir`; close it, or use it as a context manager."""
    return EmbeddingCache(settings.cache_dir)


def clear_cache(settings: Settings, encoder: str | None) -> str:
    """Forget one encoder's embeddings, or all; says what went. A damaged file is deleted."""
    try:
        with open_cache(settings) as cache:
            return f"Forgot {cache.clear(encoder):,} embeddings."
    except StoreError:
        return f"The cache was damaged: deleted it, {remove_cache(settings.cache_dir):,} bytes."


@dataclass(frozen=True)
class Dataset:
    """What `--dataset` names: items, and their features where those are what it names."""

    manifest: Manifest
    features: Features | None = None

    @property
    def classes(self) -> ClassList:
        """The class list. Raises `UsageError` where the data brings none."""
        if self.manifest.classes is None:
            raise UsageError(
                f"Expected class names, and {self.manifest.name} brings none; give --classes FILE"
                " with one name a line."
            )
        return self.manifest.classes

    def rows(self, which: NDArray[np.intp]) -> "Dataset":
        """The items at some positions."""
        table = self.manifest.table.take(which)
        return replace(self, manifest=replace(self.manifest, table=table))


def open_dataset(settings: Settings) -> Dataset:
    """The data of `--dataset`: its split and its limit, with a word on what is missing of it.

    Raises `UsageError` when no data is named.
    """
    if settings.dataset is None:
        raise UsageError(
            "Expected --dataset NAME or PATH, got none; try --dataset synthflora, the built-in one."
        )
    classes = read_class_list(settings.classes) if settings.classes else None
    features = None
    if settings.dataset.startswith(FEATURES):
        features = read_features(Path(settings.dataset.removeprefix(FEATURES)))
        manifest = _manifest_of(features, settings.dataset, classes)
    else:
        manifest = load_dataset(
            settings.dataset,
            data_root=settings.data_root,
            classes=classes,
            offline=settings.offline,
        )
    if manifest.expected is not None and len(manifest) < manifest.expected:
        logger.warning(
            f"{manifest.name} is partly here: {len(manifest):,} of {manifest.expected:,} images"
            f" ({len(manifest) / manifest.expected:.0%}). Every figure speaks of those alone."
        )
    if settings.within is not None:
        manifest = manifest.within(settings.within)
    split = settings.split or default_split(settings.dataset, manifest)
    chosen = manifest.select(None if split == "all" else split, settings.limit)
    count = f", {len(chosen.classes):,} classes" if chosen.classes else ""
    part = f" ({split})" if split else ""
    logger.info(f"Data: {chosen.name}{part}, {len(chosen):,} images{count}")
    return Dataset(chosen, features)


def default_split(dataset: str, manifest: Manifest) -> str | None:
    """What is evaluated unless a split is named: the data set's own choice, else its test."""
    if dataset in DATASETS:
        return DATASETS.get(dataset).default_split
    return "test" if "test" in manifest.splits else None


def _manifest_of(features: Features, name: str, classes: ClassList | None) -> Manifest:
    labels = [int(label) if label >= 0 else None for label in features.labels]
    columns = {"id": features.ids, "uri": features.ids, "label": labels}
    if features.splits:
        columns["split"] = list(features.splits)
    return Manifest.build(name, columns, classes or features.classes)


def open_encoder(settings: Settings, cache: EmbeddingCache, data: Dataset) -> Encoder:
    """The encoder of `--model`, in a precision that agrees with float32 on this very data.

    Without `--model`, the built-in data gets the built-in model, and all else the default.
    """
    fallback = BUILTIN_MODEL if settings.dataset == BUILTIN_DATA else DEFAULT_MODEL
    encoder = load_encoder(
        settings.model or fallback,
        precision=settings.precision,
        device=settings.device,
        offline=settings.offline,
        digest=cache.digest,
    )
    if settings.precision == "auto" and data.features is None:
        encoder, agreement = settle_precision(encoder, data.manifest, cache)
        if agreement is not None:
            logger.info(str(agreement))
    height, width = encoder.preprocessing.size
    logger.info(
        f"Model: {encoder.name}, {height} x {width} pixels, {encoder.dim} wide,"
        f" {encoder.precision} on {encoder.device}"
    )
    return encoder


def check_same_encoder(features: Features, encoder: Encoder) -> None:
    """Raises `DataError` when features were made by another encoder than the one at hand."""
    if features.dim != encoder.dim:
        raise DataError(
            f"Expected features {encoder.dim} wide, as {encoder.name} makes them, got"
            f" {features.dim}; name the --model that made them."
        )
    if not features.fingerprint:
        logger.warning(
            f"The features do not say which encoder made them; if it was not {encoder.name}, the"
            " figures mean nothing."
        )
    elif features.fingerprint != encoder.fingerprint:
        raise DataError(
            f"Expected features of {encoder.name} in {encoder.precision} (fingerprint"
            f" {encoder.fingerprint[:12]}), got those of another encoder, precision or"
            f" preprocessing ({features.fingerprint[:12]}); name the --model and --precision that"
            " made them."
        )


def choose_prompts(settings: Settings, manifest: Manifest) -> PromptSet:
    """The one prompt set of `--prompts`, or that which suits the data.

    Raises `UsageError` for `auto` and for several, which `clipfg zeroshot` alone can tell apart.
    """
    if settings.prompts and (settings.prompts == "auto" or "," in settings.prompts):
        raise UsageError(
            f"Expected one prompt set, got {settings.prompts!r}; `clipfg zeroshot` chooses among"
            " several and compares them."
        )
    return load_prompts(settings.prompts or manifest.prompts)


def choose_ensemble(settings: Settings) -> Ensemble:
    """The ensemble of `--ensemble`. Raises `UsageError` for one that needs the images first."""
    ensemble = make_ensemble(settings.ensemble)
    if ensemble.needs_images:
        raise UsageError(
            f"Expected an ensemble that needs no images, got {settings.ensemble!r}; it works with"
            " `clipfg zeroshot`, others are 'mean' and 'score-mean'."
        )
    return ensemble


def class_weights(
    encoder: Encoder,
    prompts: PromptSet,
    classes: ClassList,
    cache: EmbeddingCache | None,
    ensemble: Ensemble | None = None,
    *,
    images: Float[Tensor, "n d"] | None = None,
    seed: int = 0,
) -> Float[Tensor, "c d"]:
    """A text weight per class: the renormalised mean over its prompts, or another ensemble.

    `images` are unlabelled features, for ensembles that need them.
    """
    ensemble = ensemble or make_ensemble("mean")
    sentences = ensemble.sentences(prompts, classes, seed)
    logger.info(
        f"Prompts: {prompts.name}, {len(sentences):,} texts for {len(classes):,} classes"
        + ("" if ensemble.name == "mean" else f", ensemble {ensemble.name}")
    )
    for note in prompts.notes:
        logger.warning(f"Note on prompts: {note}")
    features = embed_texts(sentences.texts, encoder, cache)
    return ensemble.weights(features, sentences, images, encoder.logit_scale)
