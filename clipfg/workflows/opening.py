"""Opening what every job stands on: the cache, the data, the encoder, the class weights."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from jaxtyping import Float
from torch import Tensor

from clipfg.data.class_files import read_class_list
from clipfg.data.loading import load_dataset
from clipfg.embedding.cache import EmbeddingCache
from clipfg.embedding.texts import embed_texts
from clipfg.encoders import Encoder, load_encoder
from clipfg.encoders.catalogue import DEFAULT_MODEL
from clipfg.errors import UsageError
from clipfg.prompting import PromptSet, load_prompts, texts_for
from clipfg.prompting.ensembling import ENSEMBLES
from clipfg.settings import Settings
from clipfg.types import ClassList, Manifest

logger = logging.getLogger("clipfg")

BUILTIN_DATA, BUILTIN_MODEL = "synthflora", "builtin:florette"


@contextmanager
def open_cache(settings: Settings) -> Iterator[EmbeddingCache]:
    """The embedding cache of `--cache-dir`, closed at the end."""
    with EmbeddingCache(settings.cache_dir) as cache:
        yield cache


def open_manifest(settings: Settings) -> Manifest:
    """The data of `--dataset`: its split and its limit, with a word on what is missing of it.

    Raises `UsageError` when no data is named.
    """
    if settings.dataset is None:
        raise UsageError(
            "Expected --dataset NAME or PATH; try --dataset synthflora, which is built in."
        )
    classes = read_class_list(settings.classes) if settings.classes else None
    manifest = load_dataset(settings.dataset, data_root=settings.data_root, classes=classes)
    if manifest.expected is not None and len(manifest) < manifest.expected:
        logger.warning(
            "%s is partly here: %s of %s pictures (%.0f %%). Figures speak of those alone.",
            manifest.name,
            f"{len(manifest):,}",
            f"{manifest.expected:,}",
            100 * len(manifest) / manifest.expected,
        )
    split = settings.split or ("test" if "test" in manifest.splits else None)
    chosen = manifest.select(None if split == "all" else split, settings.limit)
    logger.info(
        "%s%s: %s pictures%s",
        manifest.name,
        f", {split}" if split else "",
        f"{len(chosen):,}",
        f", {len(manifest.classes):,} classes" if manifest.classes else "",
    )
    return chosen


def open_encoder(settings: Settings, cache: EmbeddingCache, data: str = "") -> Encoder:
    """The encoder of `--model`; for the built-in data the built-in one, else the default."""
    name = settings.model or (BUILTIN_MODEL if data == BUILTIN_DATA else DEFAULT_MODEL)
    return load_encoder(
        name,
        precision=settings.precision,
        device=settings.device,
        offline=settings.offline,
        digest=cache.digest,
    )


def choose_prompts(settings: Settings, manifest: Manifest) -> PromptSet:
    """The prompt set of `--prompts`, or the one that suits the data."""
    return load_prompts(settings.prompts or manifest.prompts)


def class_weights(
    encoder: Encoder, prompts: PromptSet, classes: ClassList, cache: EmbeddingCache | None
) -> Float[Tensor, "c d"]:
    """One unit-norm text weight per class: the mean over its prompts, renormalised."""
    texts, owners = texts_for(prompts, classes)
    logger.info(
        "Prompts: %s, %s texts for %s classes", prompts.name, f"{len(texts):,}", f"{len(classes):,}"
    )
    import torch

    return ENSEMBLES.get("mean")(embed_texts(texts, encoder, cache), torch.from_numpy(owners))
