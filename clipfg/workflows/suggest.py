"""Suggest: which pictures to label next, so that each label teaches as much as it can."""

import csv
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from clipfg.data.labels import relabel
from clipfg.data.support_files import read_support_file
from clipfg.data.thumbnails import thumbnail
from clipfg.embedding.cache import EmbeddingCache
from clipfg.encoders import Encoder
from clipfg.errors import DataError, ItemError, UsageError
from clipfg.evaluation.gallery import Group, Tile, render_gallery
from clipfg.functional.uncertainty import margin_uncertainty
from clipfg.mining.base import STRATEGIES, Unlabelled
from clipfg.mining.near_copies import equal_rows
from clipfg.registry import closest
from clipfg.settings import Settings
from clipfg.types import UNLABELLED, ClassList, Manifest
from clipfg.workflows.classify import Progress, Run
from clipfg.workflows.label_odds import Odds, text_odds
from clipfg.workflows.opening import (
    Data,
    check_same_encoder,
    choose_ensemble,
    choose_prompts,
    class_weights,
    open_cache,
    open_data,
    open_encoder,
)
from clipfg.workflows.pooling import Pool, gather
from clipfg.workflows.run_folder import RunFolder, default_folder

logger = logging.getLogger("clipfg")

DEFAULT = "uherding"
"""What did best in the replays of docs/suggest.md."""


@dataclass(frozen=True)
class Suggestion:
    """A picture to label: how unsure its class is (0 to 1), its likeliest class, and a reason.

    `uncertainty` and `likely` are None where nothing is known of the classes.
    """

    rank: int
    id: str
    path: str
    likely: str | None
    probability: float | None
    uncertainty: float | None
    why: str


@dataclass(frozen=True)
class SuggestRun(Run):
    """Finished suggestions, the first to label first."""

    suggestions: list[Suggestion]

    def rows(self) -> list[dict[str, Any]]:
        """A row for each picture."""
        return [vars(suggestion) for suggestion in self.suggestions]


@dataclass(frozen=True)
class _Job:
    settings: Settings
    data: Data
    own: Data | None
    encoder: Encoder | None
    cache: EmbeddingCache
    folder: RunFolder
    progress: Progress | None

    def embed(self, data: Data) -> Pool:
        return gather(
            data, self.encoder, self.settings, self.cache, self.folder.fail, self.progress
        )


def suggest(dataset: str, **options: Any) -> list[dict[str, Any]]:
    """`clipfg suggest` from Python: a row per picture, the first to label first.

    `options` are those of the command line. Raises `ClipfgError`s, as `run_suggest` does.
    """
    return run_suggest(Settings.resolve(dataset=dataset, **options)).rows()


def run_suggest(
    settings: Settings, *, progress: Progress | None = None, html: bool = False
) -> SuggestRun:
    """Rank `settings.budget` pictures of `settings.dataset` that have no label.

    Raises `ClipfgError`s: an unknown strategy, data in which everything has a label.
    """
    strategy = settings.strategy or DEFAULT
    STRATEGIES.get(strategy)  # a misspelt name costs no embedding
    data = open_data(settings.model_copy(update={"split": settings.split or "all"}))
    data, own = _with_labels(settings, data)
    with open_cache(settings) as cache:
        encoder = None
        if data.features is None or settings.model is not None:
            encoder = open_encoder(settings, cache, data)
            for part in (data, own):
                if part is not None and part.features is not None:
                    check_same_encoder(part.features, encoder)
        resolved: dict[str, Any] = settings.model_dump(mode="json") | {
            "command": "suggest",
            "model": encoder.name if encoder else None,
            "precision": encoder.precision if encoder else None,
            "strategy": strategy,
            "manifest": data.manifest.digest,
        }
        model = encoder.name if encoder else ""
        path = settings.output or default_folder("suggest", data.manifest.name, model)
        with RunFolder(path, resolved) as folder:
            job = _Job(settings, data, own, encoder, cache, folder, progress)
            pool, labelled = _gather(job)
            suggestions = _suggest(job, strategy, pool, labelled)
            folder.results = {"suggestions": [vars(each) for each in suggestions]}
            _write_csv(suggestions, folder.part("suggestions.csv"))
            if html:
                page = _page(suggestions, data.manifest.name, strategy)
                folder.part("suggestions.html").write_text(page, encoding="utf-8")
    return SuggestRun(path, len(pool), folder.failures, suggestions)


def _with_labels(settings: Settings, data: Data) -> tuple[Data, Data | None]:
    """The data with the labels that are to count, and a person's own labelled pictures."""
    if settings.own_labels is not None and settings.support is not None:
        raise UsageError("Expected --own-labels or --labelled, got both; leave one away.")
    if settings.support is not None:
        return replace(data, manifest=_only_listed(data, settings.support)), None
    if settings.own_labels is None:
        return data, None
    own = open_data(
        settings.model_copy(update={"dataset": settings.own_labels, "split": "all", "limit": None})
    )
    if data.manifest.classes is not None:
        own = replace(own, manifest=relabel(own.manifest, data.manifest.classes))
    return data, own


def _only_listed(data: Data, file: Path) -> Manifest:
    """The manifest with the labels of the pictures that a file names, and no others.

    A label in the file wins over the data's. Raises `DataError` for an id that the data lacks, a
    label outside its classes, and a picture without a label in either.
    """
    manifest = data.manifest
    ids, given = read_support_file(file)
    rows = {identity: row for row, identity in enumerate(manifest.ids)}
    classes = manifest.classes or _classes_of(given)
    labels: list[int | None] = [None] * len(manifest)
    for identity, name in zip(ids, given, strict=True):
        if identity not in rows:
            raise DataError(
                f"Expected ids of {manifest.name} in {file}, got {identity!r}."
                f"{closest(identity, rows)}"
            )
        row = rows[identity]
        known = int(manifest.labels[row])
        if name is None and known == UNLABELLED:
            continue  # listed, not labelled yet: it may be asked about again
        assert name is None or classes is not None
        labels[row] = classes.index(name) if classes and name is not None else known
    columns = {name: manifest.table[name] for name in manifest.table.column_names}
    return Manifest.build(
        manifest.name, columns | {"label": labels}, classes, prompts=manifest.prompts
    )


def _classes_of(names: Sequence[str | None]) -> ClassList | None:
    known = sorted({name for name in names if name is not None})
    return ClassList(tuple(known)) if known else None


def _gather(job: _Job) -> tuple[Pool, Pool | None]:
    """Pictures to ask about, each content once, and those with a label or None.

    Raises `DataError` when every picture has a label already.
    """
    everything = job.embed(job.data)
    labelled = job.embed(job.own) if job.own is not None else None
    if labelled is not None:
        labelled = labelled.rows(np.flatnonzero(labelled.labels != UNLABELLED))
    mine = np.flatnonzero(everything.labels != UNLABELLED)
    if labelled is None and len(mine):
        labelled = everything.rows(mine)
    elif len(mine):
        logger.info(f"{len(mine):,} pictures of {job.data.manifest.name} have labels too: left out")
    asked = np.flatnonzero(everything.labels == UNLABELLED)
    pool = everything.rows(_new(everything, asked, labelled))
    if not len(pool):
        raise DataError(
            f"Expected pictures without a label to choose from, and all {len(everything):,} of"
            f" {job.data.manifest.name} have one; try --simulate, or name those that count as"
            " labelled by --labelled FILE."
        )
    return pool, labelled


def _new(everything: Pool, asked: NDArray[np.intp], labelled: Pool | None) -> NDArray[np.intp]:
    """Those asked about whose content is not labelled already, each content once."""
    known = labelled.features if labelled is not None else everything.features[:0]
    rows = torch.cat([known, everything.features[torch.from_numpy(asked)]])
    first = equal_rows(rows)[len(known) :] if len(rows) else torch.zeros(0)
    own = torch.arange(len(known), len(rows))
    return asked[(first == own).numpy()]


def _suggest(job: _Job, strategy: str, pool: Pool, labelled: Pool | None) -> list[Suggestion]:
    classes = job.data.manifest.classes or (job.own.manifest.classes if job.own else None)
    known = labelled.features if labelled is not None else pool.features[:0]
    odds, names = _odds(job, pool, labelled, classes)
    scene = Unlabelled(pool.features, known, odds, job.settings.seed)
    chosen = STRATEGIES.get(strategy)(scene, job.settings.budget)
    shares = _stands_for(pool.features, known, chosen)
    found = []
    for rank, (row, share) in enumerate(zip(chosen.tolist(), shares.tolist(), strict=True), 1):
        likely = probability = unsure = None
        why = f"nearest to {share:,} pictures" if share > 1 else "unlike all others"
        if odds is not None:
            best = odds[row].topk(min(2, len(names)))
            likely, probability = names[int(best.indices[0])], float(best.values[0])
            unsure = float(margin_uncertainty(odds[row : row + 1])[0])
            if len(names) > 1 and unsure > 0.5:
                why += f"; {likely} or {names[int(best.indices[1])]}"
        found.append(
            Suggestion(rank, pool.ids[row], pool.uris[row], likely, probability, unsure, why)
        )
    return found


def _odds(
    job: _Job, pool: Pool, labelled: Pool | None, classes: ClassList | None
) -> tuple[Float[Tensor, "n c"] | None, list[str]]:
    """Probabilities and the names of their classes.

    By texts as long as a class has no label, by a head that has learnt from labels and texts from
    then on; without an encoder by a head for the classes that have labels; None where there is no
    class list, or too little to tell classes apart by.
    """
    if classes is None:
        return None, []
    labels = torch.from_numpy(labelled.labels) if labelled is not None else torch.zeros(0).long()
    present = torch.unique(labels)
    texts = None
    if job.encoder is not None:
        prompts = choose_prompts(job.settings, job.data.manifest)
        ensemble = choose_ensemble(job.settings)
        texts = class_weights(
            job.encoder, prompts, classes, job.cache, ensemble, seed=job.settings.seed
        )
        if len(present) < len(classes):
            scale = job.encoder.logit_scale
            return text_odds(pool.features, texts, scale), list(classes.names)
    if labelled is None or len(present) < 2:
        return None, []
    odds = Odds.of(labelled.features, labels, texts, job.settings.seed)
    return odds.probabilities(pool.features), [classes.names[i] for i in odds.classes.tolist()]


def _stands_for(
    features: Float[Tensor, "n d"], known: Float[Tensor, "m d"], chosen: Int[Tensor, " b"]
) -> Int[Tensor, " b"]:
    """How many pictures are nearer to each chosen one than to others or to any labelled one."""
    anchors = torch.cat([known, features[chosen]])
    nearest = torch.cat([(block @ anchors.T).argmax(dim=1) for block in features.split(1024)])
    return torch.bincount(nearest, minlength=len(anchors))[len(known) :]


def _write_csv(suggestions: Sequence[Suggestion], path: Path) -> None:
    """A list to fill in: with its column `label` filled it is what `--labelled` reads."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("id", "label", "likely", "path"))
        writer.writerows((each.id, "", each.likely or "", each.path) for each in suggestions)


def _page(suggestions: Sequence[Suggestion], name: str, strategy: str) -> str:
    tiles = []
    for each in suggestions:
        try:
            image = thumbnail(each.path)
        except ItemError:  # features from a file, or a picture that has gone
            image = None
        lines = [each.why]
        if each.likely is not None and each.probability is not None:
            lines.insert(0, f"{each.likely}? {each.probability:.0%}")
        tiles.append(Tile(image, f"{each.rank}. {each.id}", tuple(lines)))
    lead = f"{len(suggestions):,} pictures chosen by {strategy}, the first to label first."
    return render_gallery(f"What to label next in {name}", lead, [Group("Pictures", tuple(tiles))])
