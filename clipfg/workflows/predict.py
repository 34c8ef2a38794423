"""Predict: the likeliest classes for images that nobody has labelled."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clipfg.confidence import AnswerColumns
from clipfg.data.loading import load_dataset
from clipfg.data.readers.class_files import read_class_list
from clipfg.data.readers.folder import SUFFIXES, read_images
from clipfg.embedding.cache import EmbeddingCache
from clipfg.encoders import Encoder
from clipfg.errors import DataError, UsageError
from clipfg.heads import Head
from clipfg.heads.class_subset import ClassSubset
from clipfg.heads.saving import SavedHead, load_head
from clipfg.heads.zero_shot import ZeroShot
from clipfg.settings import Settings
from clipfg.types import ClassList, Manifest, Progress
from clipfg.workflows.answers import answers_for, calibrated, confidence_of, say_guarantees
from clipfg.workflows.classify import Run, classify
from clipfg.workflows.run_folder import RunFolder, default_folder
from clipfg.workflows.session import (
    Dataset,
    choose_ensemble,
    choose_prompts,
    class_weights,
    open_cache,
    open_encoder,
)

logger = logging.getLogger("clipfg")


@dataclass(frozen=True)
class PredictRun(Run):
    """A finished prediction: `predictions` is the Parquet file of its rows."""

    predictions: Path


def predict(*photos: str | Path, **options: Any) -> list[dict[str, Any]]:
    """`clipfg predict` from Python: a row per image, as `evaluation.predictions.SCHEMA` has it.

    `options` are those of the command line. Raises `ClipfgError`s, as `run_predict` does.
    """
    import pyarrow.parquet as pq

    run = run_predict(
        [Path(photo) for photo in photos], Settings.resolve(command="predict", **options)
    )
    rows: list[dict[str, Any]] = pq.read_table(run.predictions).to_pylist()
    return rows


def run_predict(
    photos: Sequence[Path], settings: Settings, *, progress: Progress | None = None
) -> PredictRun:
    """Name what is on images and folders of images, by class names or by a saved head.

    Raises `UsageError` when neither or both are given, and other `ClipfgError`s.
    """
    if (settings.classes is None) == (settings.head is None):
        raise UsageError(
            "Expected either --classes FILE (names, one a line) or --head FILE (saved earlier), got"
            f" {'both' if settings.head else 'neither'}."
        )
    data = Dataset(_gather(photos).select(limit=settings.limit))
    logger.info(f"Photos: {len(data.manifest):,}")
    saved = load_head(settings.head) if settings.head else None
    classes = _classes(settings, saved)
    answers = answers_for(settings, classes, confidence_of(saved) if saved else None)
    head = saved.head if saved else None
    zero_shot = (head is None or isinstance(head, ZeroShot)) and not calibrated(answers)
    if settings.within is not None:
        head, classes, answers = _within(settings.within, head, classes, answers)
    say_guarantees(answers)
    with open_cache(settings) as cache:
        if saved:
            settings = _as_saved(settings, saved)
        encoder = open_encoder(settings, cache, data)
        if saved:
            saved.check_fingerprint(encoder.fingerprint)
        resolved: dict[str, Any] = settings.model_dump(mode="json") | {
            "command": "predict",
            "photos": [str(photo) for photo in photos],
            "model": encoder.name,
            "precision": encoder.precision,
            "fingerprint": encoder.fingerprint,
        }
        path = settings.output or default_folder("predict", data.manifest.name, encoder.name)
        with RunFolder(path, resolved) as folder:
            head = head or _named_head(settings, data, encoder, classes, cache)
            tally = classify(
                data,
                encoder,
                head,
                classes,
                folder,
                settings,
                cache,
                scoring=encoder.scoring if zero_shot else "softmax",
                answers=answers,
                progress=progress,
            )
            folder.results = {"images": tally.done, "skipped": folder.failures}
            if answers is not None and answers.asked:
                folder.results["guarantees"] = list(answers.notes)
    return PredictRun(path, tally.done, folder.failures, path / "predictions.parquet")


def _as_saved(settings: Settings, saved: SavedHead) -> Settings:
    """The settings with the encoder and the precision that the head was made with, unless named."""
    changed = {}
    if saved.model and settings.model is None:
        changed["model"] = saved.model
    if saved.precision and settings.precision == "auto":
        changed["precision"] = saved.precision
    return settings.model_copy(update=changed)


def _classes(settings: Settings, saved: SavedHead | None) -> ClassList:
    if saved is None:
        assert settings.classes is not None
        return read_class_list(settings.classes)
    if saved.classes is None:
        raise DataError(f"Expected a head with class names, and {settings.head} has none.")
    return saved.classes


def _within(
    wanted: str, head: Head | None, classes: ClassList, answers: AnswerColumns | None
) -> tuple[Head | None, ClassList, AnswerColumns | None]:
    """Only some of the classes. Raises `UsageError` for guarantees, which were made among all."""
    names = classes.below(wanted)
    if head is not None:
        head = ClassSubset(head, tuple(classes.index(name) for name in names))
    narrowed = classes.only(names)
    if answers is None:
        return head, narrowed, None
    if answers.asked.guarantees:
        raise UsageError(
            f"Expected guarantees among all {len(classes):,} classes that the head knows, got"
            f" --within {wanted!r}; fit a head for those alone by `clipfg fewshot ... --within"
            f" {wanted!r}`."
        )
    return head, narrowed, replace(answers, classes=narrowed)


def _gather(photos: Sequence[Path]) -> Manifest:
    """The images as a manifest without labels; one path may also be a table or a tar."""
    if len(photos) == 1 and photos[0].is_file() and photos[0].suffix.lower() not in SUFFIXES:
        found = load_dataset(str(photos[0]))
        return Manifest.build(found.name, {"id": found.table["id"], "uri": found.table["uri"]})
    return read_images(photos)


def _named_head(
    settings: Settings, data: Dataset, encoder: Encoder, classes: ClassList, cache: EmbeddingCache
) -> Head:
    prompts = choose_prompts(settings, data.manifest)
    ensemble = choose_ensemble(settings)
    weights = class_weights(encoder, prompts, classes, cache, ensemble, seed=settings.seed)
    head = ZeroShot(encoder.logit_scale, encoder.logit_bias, ensemble.renormalise)
    return head.fit(text_weights=weights)
