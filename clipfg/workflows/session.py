"""What every job stands on, opened once and closed once.

    with Session(options) as session:
        run = zeroshot(session)

A program that runs many jobs, such as a server, keeps one session open and starts each job by
`session.another(options)`: jobs share the cache and the encoders in memory, and each has failures
of its own. Jobs may run in several threads.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from clipfg.embedding.batches import FeatureBatch
from clipfg.embedding.cache import EmbeddingCache
from clipfg.embedding.cached_features import Dense
from clipfg.embedding.pipeline import collect, embed
from clipfg.embedding.text_paths import check_path
from clipfg.encoders.catalogue import DEFAULT_MODEL
from clipfg.errors import DataError, UsageError
from clipfg.options import DataJobOptions, JobOptions, RegionOptions, to_json
from clipfg.types import Failure, Features, Manifest, StageProgress
from clipfg.workflows import understood
from clipfg.workflows.boxes import boxes_said, framing_of, region_items
from clipfg.workflows.dataset import Dataset, labelled_split, open_dataset
from clipfg.workflows.grouping import check_groups, group_items
from clipfg.workflows.provenance import MadeBy, Provenance, check_one_encoder, check_same_encoder
from clipfg.workflows.resources import Resources
from clipfg.workflows.run_folder import Failures, RunFolder, default_folder
from clipfg.workflows.tuned import framing_said, seen_said
from clipfg.workflows.views import views_of, views_said

if TYPE_CHECKING:
    from clipfg.embedding.views import Views
    from clipfg.encoders import Encoder
    from clipfg.workflows.pool import FeaturePool

logger = logging.getLogger("clipfg")

BUILTIN_DATA = ("synthflora", "synthflora-captions", "synthflora-plants")
BUILTIN_MODEL = "builtin:florette"

Given = TypeVar("Given", bound=JobOptions)
Made = TypeVar("Made")
Stages = Callable[[str], StageProgress | None]


class Session(Generic[Given]):
    """The options of a job, its cache, encoder, failures and progress; a context manager.

    `progress` makes a callback `(done, total)` for a stage with a label; None shows nothing.
    `encoder` is the one that was opened last: None before, and for features that need none.
    `views` are those of each image, None for the center alone; `dense` what is embedded beside
    pooled features, for heads that take patches. `embeds_only`: the job asks the encoder for
    embeddings alone, so that one which is known is opened only where something is not cached.
    `failures` are the images that could not be used, `cut_texts` a remark for each prompt set some
    of whose texts were too long for the encoder.
    """

    def __init__(self, options: Given, progress: Stages | None = None) -> None:
        self.options = options
        self.failures = Failures()
        self.encoder: Encoder | None = None
        self.views: Views | None = None
        self.dense: tuple[Dense, ...] = ()
        self.embeds_only = False
        self.cut_texts: dict[str, str] = {}
        self._understood: dict[str, dict[str, Any]] = {}
        self.stages = progress
        self._shared = Resources(options)
        self._owner = True
        self._fresh: EmbeddingCache | None = None

    def another(self, options: Given, progress: Stages | None = None) -> Session[Given]:
        """The session of a further job, with this one's cache and encoders."""
        job = Session(options, progress)
        job._shared, job._owner = self._shared, False
        return job

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._owner:
            self._shared.close()

    @property
    def cache(self) -> EmbeddingCache:
        """The embedding cache of `--cache-dir`, opened when first asked for."""
        return self._shared.cache

    @property
    def kept(self) -> EmbeddingCache:
        """The cache; where `--no-resume` embeds everything again, one that is read afresh."""
        if not self.options.resume and self._fresh is None:
            self._fresh = self.cache.afresh()
        return self._fresh or self.cache

    def progress(self, label: str) -> StageProgress | None:
        """A callback for one stage of the job."""
        return self.stages(label) if self.stages else None

    # Data

    def whole(
        self, name: str | None = None, *, use_classes: bool = True, grouped: bool = True
    ) -> Dataset:
        """All items of `--dataset`, or of the data called `name`, `grouped` by `--group-by`."""
        options = self.options
        assert isinstance(options, DataJobOptions)
        data = open_dataset(
            options,
            name or options.dataset,
            offline=options.offline,
            use_classes=use_classes,
            progress=self.progress("Downloading"),
        )
        if data.features is not None and options.views is not None:
            raise UsageError(
                "--views needs images; features are of the views that they were made of."
            )
        self.say(data)
        return self.grouped(data) if grouped else data

    def grouped(self, data: Dataset) -> Dataset:
        """The items in the groups of `--group-by`; without it, in none."""
        return group_items(data, getattr(self.options, "group_by", None), self._first_pool)

    def _first_pool(self, data: Dataset) -> FeaturePool:
        if self.encoder is None:
            self.open_encoder_if_needed(data)
        return self.pool(data)

    def say(self, data: Dataset) -> None:
        """Say how data were understood, and what looks wrong, before they are used."""
        logger.info(f"Data: {data.name}, {understood.sentence(data.manifest)}")
        self._understood[data.name] = understood.plain(data.manifest)
        if data.manifest.reading:
            for doubt in data.manifest.reading.doubts:
                logger.warning(doubt)
            for name in data.manifest.reading.failed:
                self.failures.add(Failure(name, name, "detect", "The detector failed on it."))

    def dataset(self, split: str | None = None) -> Dataset:
        """The items of `--dataset` by its split (or `split`), limit and node of the taxonomy."""
        options = self.options
        assert isinstance(options, DataJobOptions)
        data = self.whole()
        check_groups(data.manifest)
        data = data.within(getattr(options, "within", None))
        split = split or options.split or labelled_split(options.dataset, data.manifest)
        chosen = data.select(split)
        if len(chosen) < len(data):
            logger.info(f"Used: {understood.pictures(chosen.manifest)} of the split {split}")
        chosen = chosen.limited(options.limit, options.seed)
        chosen = self.in_regions(chosen)
        if said := boxes_said(options, chosen.manifest):
            logger.info(said)
        return chosen

    def in_regions(self, data: Dataset) -> Dataset:
        """The regions of the images, where `--regions` asks for them."""
        if not (isinstance(self.options, RegionOptions) and self.options.regions):
            return data
        if data.features is not None:
            raise UsageError("--regions needs images; features of whole images have none.")
        return replace(data, manifest=region_items(data.manifest))

    # Encoder

    def open_encoder(self, *parts: Dataset, like: MadeBy | None = None) -> Encoder:
        """The encoder of `--model`, else the one that made `like`, else the default.

        The built-in data gets the built-in model. `--precision auto` is settled on the first images
        that the session's encoder meets. Raises `DataError` when features of `parts` are another
        encoder's.
        """
        options = self.options
        builtin = getattr(options, "dataset", None) in BUILTIN_DATA
        fallback = BUILTIN_MODEL if builtin else DEFAULT_MODEL
        name = options.model or (like.model if like else "") or fallback
        precision = options.precision
        if precision == "auto" and like is not None and like.precision:
            precision = like.precision  # type: ignore[assignment]
        images = next((part.manifest for part in parts if part.features is None), None)
        encoder = self._shared.encoder(
            name, precision, options, images, embeds_only=self.embeds_only
        )
        for part in parts:
            if part.features is not None:
                check_same_encoder(part.features, encoder)
        check_path(encoder, getattr(options, "text_path", "auto"))
        logger.info(
            f"Model: {encoder.name}, {encoder.input_shape}, {encoder.dim} wide,"
            f" {encoder.precision} on {encoder.device}"
        )
        if images is not None and (said := framing_said(encoder.name, framing_of(options, images))):
            logger.warning(said)
        self.encoder = encoder
        self.views = views_of(options, encoder, like)
        if self.views is not None:
            logger.info(views_said(self.views))
        return encoder

    def open_encoder_if_needed(
        self, *parts: Dataset, like: MadeBy | None = None, without: str = ""
    ) -> Encoder | None:
        """The encoder, or None where all parts are features and no `--model` is named.

        `without` is what the job then lacks, for the log. Raises `DataError` as `open_encoder`
        does, and for features of two encoders.
        """
        stored = [part.features for part in parts if part.features is not None]
        if self.options.model is None and len(stored) == len(parts):
            check_one_encoder(stored)
            if without:
                logger.info(f"No --model is named: {without}")
            return None
        return self.open_encoder(*parts, like=like)

    def seen_in_training(self, uris: Sequence[str]) -> str:
        """A warning where the encoder was trained on images to measure it on; else empty."""
        return "" if self.encoder is None else seen_said(self.encoder.name, uris, self.cache)

    def provenance(self, data: Dataset) -> Provenance:
        """Who made the features of `data` in this session."""
        if (encoder := self.encoder) is not None:
            return Provenance(encoder.fingerprint, encoder.name, encoder.precision)
        return Provenance(data.features.fingerprint if data.features is not None else "")

    # Features

    def batches(self, data: Dataset) -> Iterator[FeatureBatch]:
        """The items' features in order; images that cannot be used go to `failures`."""
        if data.features is not None:
            yield from data.stored_batches()
            return
        yield from self._embed(embed, data.manifest)

    def features(self, manifest: Manifest) -> Features:
        """The items' features with all that is known of them."""
        return self._embed(collect, manifest)

    def _embed(self, how: Callable[..., Made], manifest: Manifest) -> Made:
        assert self.encoder is not None
        framing = framing_of(self.options, manifest)
        if self.views is not None and framing is not None and framing.crop == "region":
            raise UsageError(
                "--views is for images and crops; a box that is read from the dense map of its"
                " image has no views of its own. Try --boxes-as crop."
            )
        return how(
            manifest,
            self.encoder,
            self.kept,
            dense=self.dense,
            framing=framing,
            views=self.views,
            batch_size=self.options.batch_size,
            workers=self.options.workers,
            progress=self.progress("Embedding"),
            on_failure=self.failures.add,
            strict=self.options.strict,
        )

    def boxes(self, manifest: Manifest) -> dict[str, list[float]] | None:
        """The boxes that items stand for, by id; None where they stand for whole images."""
        if framing_of(self.options, manifest) is None:
            return None
        return dict(zip(manifest.ids, manifest.column("box") or (), strict=True))

    def pool(self, data: Dataset) -> FeaturePool:
        """All features in memory. Raises `DataError` when no image could be used."""
        from clipfg.workflows.pool import FeaturePool

        started = time.monotonic()
        batches = list(self.batches(data))
        if not batches:
            raise DataError(f"Expected images that can be used, {data.name} has none.")
        seconds = time.monotonic() - started
        return FeaturePool.of(data.manifest, batches, seconds, self.boxes(data.manifest))

    # Results

    def run_folder(self, data: str, **facts: Any) -> RunFolder:
        """The job's run folder: `--output`, or a new one named after command, data and model.

        `facts` go into its `config.json`, beside the options and the encoder. A `command` among
        them names the folder.
        """
        options, encoder = self.options, self.encoder
        config = to_json(options) | {"command": options.command, "fingerprint": None}
        if encoder is not None:
            config["fingerprint"] = encoder.fingerprint
            config |= {"model": encoder.name, "precision": encoder.precision}
        config |= facts
        model = encoder.name if encoder else ""
        path = getattr(options, "output", None) or default_folder(config["command"], data, model)
        return RunFolder(path, config, self.failures, self.cut_texts, self._understood)
