"""A few keys of each class in place of many: a coreset as a key store."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipfg.coresets import Coreset, make_coreset
from clipfg.coresets.keco_online import KeCOOnline
from clipfg.errors import DataError, UsageError
from clipfg.settings import Settings
from clipfg.store import KeyStore, has_store, writing
from clipfg.types import Progress
from clipfg.workflows.coreset.source import CoresetData, open_source
from clipfg.workflows.coreset.stream import Stream
from clipfg.workflows.failures import Failures
from clipfg.workflows.run_folder import default_folder
from clipfg.workflows.session import open_cache

logger = logging.getLogger("clipfg")

STRATEGY, STREAMED = "discriminant", "keco-online"
PER_CLASS = 5


@dataclass(frozen=True)
class CoresetRun:
    """A store that holds a coreset.

    `items` and `classes` are what it was made of. `peak` is the most feature rows that were held at
    once; `skipped` counts images that could not be used.
    """

    path: Path
    strategy: str
    keys: int
    items: int
    classes: int
    peak: int
    skipped: int = 0

    @property
    def exit_code(self) -> int:
        """0 when every image was used, 3 when some were skipped."""
        return 3 if self.skipped else 0


def coreset(dataset: str | None = None, **options: Any) -> CoresetRun:
    """`clipfg coreset` from Python; `options` are those of the command line (`per_class`).

    Raises `ClipfgError`s, as `run_coreset` does.
    """
    return run_coreset(Settings.resolve(command="coreset", dataset=dataset, **options))


def run_coreset(
    settings: Settings, *, stream: bool = False, progress: Progress | None = None
) -> CoresetRun:
    """Condense labelled items to a key store at `settings.output`.

    With `stream` the items are looked at once, as they are embedded. Raises `ClipfgError`s: an
    unknown strategy, a budget that makes no sense, data without labels, a store of other things.
    """
    name = settings.strategy or (STREAMED if stream else STRATEGY)
    strategy = make_coreset(name, settings.seed)
    if stream and not isinstance(strategy, KeCOOnline):
        raise UsageError(
            f"Expected {STREAMED} with --stream, got {name!r}, which has to see every item at once."
        )
    _check_budget(settings)
    failures = Failures()
    with open_cache(settings) as cache:
        source = open_source(settings, cache, failures, progress)
        path = settings.output or default_folder("coreset", source.name, name)
        _check_place(path, settings)
        per_class = _budget(settings, source)
        if isinstance(strategy, KeCOOnline) and stream:
            positions, keys, items, peak = _streamed(source, strategy, per_class)
        else:
            positions, keys, items = _condensed(source, strategy, per_class)
            peak = items
    store = source.store(positions, keys, device=settings.device)
    _write(store, path, failures)
    classes = len(np.unique(store.labels))
    return CoresetRun(path, name, len(store), items, classes, peak, len(failures))


def budgets(settings: Settings) -> tuple[int, ...]:
    """The numbers of `--per-class`, ascending. Raises `UsageError` for what is none."""
    words = (settings.per_class or str(PER_CLASS)).split(",")
    found = {int(word) for word in map(str.strip, words) if word.isascii() and word.isdecimal()}
    if len(found) != len(words) or min(found) < 1:
        raise UsageError(
            f"Expected --per-class as numbers from 1 with commas between, each once, got"
            f" {settings.per_class!r}; try 1,2,5,10."
        )
    return tuple(sorted(found))


def _check_budget(settings: Settings) -> None:
    if settings.per_class is not None and settings.total is not None:
        raise UsageError("Expected --per-class or --total, got both; leave one away.")
    if settings.total is None and len(budgets(settings)) > 1:
        raise UsageError(
            f"Expected one budget for a store, got {settings.per_class!r}; --compare compares"
            " several."
        )


def _budget(settings: Settings, source: CoresetData) -> int:
    """Keys of each class; `--total` is shared out evenly, and what is left over is not used."""
    if settings.total is None:
        return budgets(settings)[0]
    classes = len(np.unique(source.labels[source.labels >= 0]))
    if settings.total < classes:
        raise UsageError(
            f"Expected a --total of at least one key for each of {classes} classes, got"
            f" {settings.total}."
        )
    return settings.total // classes


def _check_place(path: Path, settings: Settings) -> None:
    if settings.store is not None and path.resolve() == settings.store.resolve():
        raise UsageError(f"Expected an --output other than the store itself, got {path}.")
    if path.is_file() or (path.is_dir() and any(path.iterdir()) and not has_store(path)):
        raise UsageError(
            f"Expected a new folder, an empty one or a key store for the coreset, got {path}."
        )


def _condensed(
    source: CoresetData, strategy: Coreset, per_class: int
) -> tuple[NDArray[np.int64], NDArray[np.float32], int]:
    positions, features, labels = source.gather()
    condensed = strategy.condense(features, labels, per_class)
    return positions[condensed.exemplars.numpy()], condensed.keys.numpy(), len(positions)


def _streamed(
    source: CoresetData, strategy: KeCOOnline, per_class: int
) -> tuple[NDArray[np.int64], NDArray[np.float32], int, int]:
    state, items = Stream(strategy, per_class), 0
    for positions, vectors in source.batches:
        state.take(positions, vectors, source.labels[positions])
        items += len(positions)
    if not items:
        raise DataError(f"Expected labelled images that can be used, {source.name} has none.")
    return *state.finish(), items, state.peak


def _write(store: KeyStore, path: Path, failures: Failures) -> None:
    with writing(path) as writer:
        store.commit(writer)
        failures.write(path / "failures.jsonl")
