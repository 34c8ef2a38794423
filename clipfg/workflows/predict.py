"""Predict: the likeliest classes of unlabelled images."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from clipfg.data.readers.pictures import read_images
from clipfg.data.readers.walk import SUFFIXES
from clipfg.embedding.pipeline import PATCHES
from clipfg.errors import UsageError
from clipfg.heads.saving import SavedHead
from clipfg.options import PredictOptions
from clipfg.types import ClassList, Manifest
from clipfg.workflows.answer_files.answers import Answers, answer_formats
from clipfg.workflows.answer_files.export import write_answers
from clipfg.workflows.boxes import boxes_said, framed_as, whole_said
from clipfg.workflows.class_texts import array_zero_shot, named_ensemble, named_prompts, zero_shot
from clipfg.workflows.classifier import Classifier, classes_of, is_plain, saved_head
from clipfg.workflows.classify import PREDICTIONS, classify
from clipfg.workflows.dataset import FEATURES, Dataset, hints_of
from clipfg.workflows.run_folder import Run
from clipfg.workflows.session import Session

if TYPE_CHECKING:
    from clipfg.encoders import Encoder

logger = logging.getLogger("clipfg")


@dataclass(frozen=True)
class PredictRun(Run):
    """A finished prediction: `predictions` is the Parquet file of its rows.

    With `--group-by` a row is a group, and with a head on bags it is a bag; a file beside it has a
    row for each image.
    """

    predictions: Path

    def rows(self) -> list[dict[str, Any]]:
        """A row per image or group, as `evaluation.predictions.SCHEMA` has it."""
        rows: list[dict[str, Any]] = pq.read_table(self.predictions).to_pylist()
        return rows


def run_predict(session: Session[PredictOptions], photos: Sequence[Path] = ()) -> PredictRun:
    """Classify images, folders, or `--dataset` by names or by a head. Raises `ClipfgError`s."""
    options = session.options
    if (options.classes is None) == (options.head is None):
        raise UsageError(
            "--classes and --head cannot be combined."
            if options.head
            else "Give --classes FILE (class names, one per line) or --head FILE (a saved head)."
        )
    _check_groups(options)
    session.embeds_only = not options.explain
    formats = answer_formats(options.to)
    saved = saved_head(options)
    bags = saved is not None and saved.head.consumes == "bags"
    options = session.options = _as_learnt(options, saved)
    data = _images(session, photos, None if bags else options.limit)
    classes = classes_of(options, saved)
    if saved is not None and bags:
        return _predict_bags(session, data, saved, photos)
    if options.bag_by is not None:
        raise UsageError("--bag-by takes a head on bags; save one by `clipfg bags --save FILE`.")
    if saved is not None and (said := whole_said(options, saved, data.manifest)):
        logger.warning(said)
    by = Classifier.of(options, saved, classes)
    if by.head is not None and by.head.consumes == "patches":
        session.dense = PATCHES
    encoder = _encoder(session, data, saved, zero_shot=by.zero_shot)
    scoring = encoder.scoring if by.zero_shot and encoder else "softmax"
    data = session.grouped(data)
    groups = by.groups(data)
    if options.explain:
        from clipfg.workflows.explain.photos import check_explainable

        check_explainable(session, data, by.classes)
    with session.run_folder(data.name, photos=[str(photo) for photo in photos]) as folder:
        head = by.head or _of_names(session, data, by.classes)
        how: dict[str, Any] = {"top_k": options.top_k, "scoring": scoring}
        counts = classify(
            session, data, head, by.classes, folder, answers=by.answers, groups=groups, **how
        )
        folder.results |= {"images": counts.done, "skipped": len(session.failures), **by.results()}
        if groups is not None:
            groups.write(folder, by.classes, options.top_k, scoring, by.of_groups)
        if options.explain:
            from clipfg.workflows.explain.added import add_explanations, least_sure

            chosen = least_sure(folder.part(PREDICTIONS), options.explain)
            prompts = named_prompts(options, data.manifest)
            add_explanations(session, data, by.classes, head, prompts, folder, chosen)
        if formats:
            model = encoder.name if encoder else saved.model if saved else ""
            confidence = _confidence(data.manifest)
            given = Answers(folder.part(PREDICTIONS), by.classes, model, confidence)
            folder.results["answers"] = write_answers(formats, given, folder)
    predictions = folder.path / (PREDICTIONS if groups is None else groups.file)
    return PredictRun(folder.path, counts.done, len(session.failures), predictions)


def _as_learnt(options: PredictOptions, saved: SavedHead | None) -> PredictOptions:
    """With bags and boxes like those that a head has learnt from, where options do not say."""
    if saved is None:
        return options
    if saved.head.consumes == "bags":
        from clipfg.workflows.bags.predict import as_learnt

        return as_learnt(options, saved)
    return framed_as(options, saved)


def _of_names(session: Session[PredictOptions], data: Dataset, classes: ClassList) -> Any:
    """The zero-shot head of class names."""
    options = session.options
    prompts, ensemble = named_prompts(options, data.manifest), named_ensemble(options)
    make = array_zero_shot if is_plain(options) else zero_shot
    return make(session, prompts, classes, ensemble)


def _predict_bags(
    session: Session[PredictOptions], data: Dataset, saved: SavedHead, photos: Sequence[Path]
) -> PredictRun:
    from clipfg.workflows.bags.predict import open_bags, predict_bags

    bags = open_bags(session, data)
    _encoder(session, bags.items, saved, zero_shot=False)
    with session.run_folder(data.name, photos=[str(photo) for photo in photos]) as folder:
        done = predict_bags(session, bags, saved, folder)
    predictions = folder.path / PREDICTIONS
    return PredictRun(folder.path, done, len(session.failures), predictions)


def _check_groups(options: PredictOptions) -> None:
    """Raises `UsageError` for what is told of pictures alone."""
    if options.group_by is None:
        return
    for flag, given in (("--unknown", options.unknown), ("--to", options.to)):
        if given:
            raise UsageError(
                f"{flag} is about single pictures and cannot be combined with --group-by, which"
                " gives one answer for several."
            )


def _encoder(
    session: Session, data: Dataset, saved: SavedHead | None, *, zero_shot: bool
) -> Encoder | None:
    """The encoder; None for features from a file that a head learnt from labels classifies.

    Raises `DataError` for features that are not those that the head was fitted on.
    """
    if zero_shot:
        encoder: Encoder | None = session.open_encoder(data, like=saved)
    else:
        encoder = session.open_encoder_if_needed(data, like=saved)
    if saved and encoder:
        saved.check_encoder(encoder.fingerprint, encoder.dim)
    elif saved and data.features is not None:
        # Other tools' features do not say whose they are.
        own = data.features.fingerprint or saved.fingerprint
        saved.check_encoder(own, data.features.pooled.shape[1])
    return encoder


def _confidence(manifest: Manifest) -> dict[str, float]:
    """How sure the boxes are, by id, where their source says."""
    values = manifest.column("confidence")
    if values is None:
        return {}
    pairs = zip(manifest.ids, values, strict=True)
    return {identity: value for identity, value in pairs if value is not None}


def _images(session: Session[PredictOptions], photos: Sequence[Path], limit: int | None) -> Dataset:
    """At most `limit` images, without labels; a path may be a table, a tar or `features:FILE`."""
    options, features = session.options, None
    if photos and options.dataset is not None:
        raise UsageError(f"--dataset {options.dataset} and photos cannot be combined.")
    stored = next((str(photo) for photo in photos if str(photo).startswith(FEATURES)), None)
    if stored and len(photos) > 1:
        raise UsageError(f"Expected {stored} alone, got it among {len(photos)} paths.")
    if stored or not photos:
        if not stored and options.dataset is None:
            raise UsageError("Name photos or folders of them, or --dataset NAME|PATH.")
        whole = session.whole(stored, use_classes=False, grouped=False)
        found, features = whole.manifest, whole.features
        if options.split is not None:
            found = found.select(None if options.split == "all" else options.split)
    elif len(photos) == 1 and photos[0].is_file() and photos[0].suffix.lower() not in SUFFIXES:
        from clipfg.data.loading import load_dataset

        found = load_dataset(str(photos[0]), hints=hints_of(options))
        session.say(Dataset(found))
    else:
        found = read_images(photos)
        if options.boxes is not None:
            from clipfg.data.readers.formats.joining import join_boxes

            found = join_boxes(found, options.boxes, hints_of(options))
        session.say(Dataset(found))
    kept = [
        name
        for name in ("id", "uri", "box", "confidence", "bag", "group")
        if name in found.table.column_names
    ]
    columns = {name: found.table[name] for name in kept}
    data = Dataset(Manifest.build(found.name, columns, reading=found.reading), features)
    data = data.limited(limit, options.seed)
    if said := boxes_said(options, data.manifest):
        logger.info(said)
    return data
