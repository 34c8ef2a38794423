"""A few keys per class in place of many: a coreset as a key store."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from clipfg.coresets import make_coreset
from clipfg.coresets.keco_online import KeCOOnline
from clipfg.errors import DataError, UsageError
from clipfg.options import CoresetOptions
from clipfg.store import may_hold_store, writing
from clipfg.workflows.coreset.source import CoresetData, open_source, store_to_condense
from clipfg.workflows.coreset.stream import Stream
from clipfg.workflows.run_folder import Run, default_folder
from clipfg.workflows.session import Session

STRATEGY, STREAMED = "discriminant", "discriminant-online"
PER_CLASS = "5"


@dataclass(frozen=True)
class CoresetRun(Run):
    """A key store in `folder`, made of `done` items, `rows_held` of them in memory at once."""

    strategy: str
    keys: int
    classes: int
    rows_held: int

    def rows(self) -> list[dict[str, Any]]:
        """One row of what was made of what."""
        row = {"store": str(self.folder), "strategy": self.strategy, "keys": self.keys}
        row |= {"classes": self.classes, "items": self.done, "rows_held": self.rows_held}
        return [row | {"skipped": self.skipped}]


def compares(options: CoresetOptions) -> bool:
    """Whether strategies are compared, in place of writing a store by one."""
    return options.compare or any("," in (x or "") for x in (options.strategy, options.per_class))


def run_coreset(session: Session[CoresetOptions]) -> CoresetRun:
    """Condense labelled items to a key store in `--output`.

    With `--stream` each item is seen once, as it is embedded. Raises `ClipfgError`s: an unknown
    strategy, a budget that makes no sense, data without labels, a folder that holds other things.
    """
    options = session.options
    name = options.strategy or (STREAMED if options.stream else STRATEGY)
    strategy = make_coreset(name, options.seed)
    if options.stream and not isinstance(strategy, KeCOOnline):
        raise UsageError(
            f"--stream works with {STREAMED} and {KeCOOnline.name}: {name} has to see all items at"
            " once."
        )
    if options.per_class is not None and options.total is not None:
        raise UsageError("--per-class and --total cannot be combined.")
    if options.per_class is not None and len(budgets(options.per_class)) > 1:
        raise UsageError(
            f"A store is made with one --per-class, got {options.per_class}; --compare compares"
            " several."
        )
    store = store_to_condense(options)
    source = open_source(session, store)
    path = options.output or default_folder("coreset", source.name, name)
    _check_place(path, store)
    per_class = _keys_per_class(options, source)
    if isinstance(strategy, KeCOOnline) and options.stream:
        positions, keys, items, held = _streamed(source, strategy, per_class)
    else:
        positions, features, labels = source.gather()
        groups = None if source.groups is None else torch.from_numpy(source.groups[positions])
        condensed = strategy.condense(features, labels, per_class, groups)
        items = held = len(positions)
        positions, keys = positions[condensed.exemplars.numpy()], condensed.keys.numpy()
    made = source.store(positions, keys)
    made.index.device = options.device
    with writing(path) as writer:
        made.commit(writer)
        session.failures.replace(path / "failures.jsonl")
    classes = len(np.unique(made.labels))
    return CoresetRun(path, items, len(session.failures), name, len(made), classes, held)


def budgets(text: str) -> tuple[int, ...]:
    """The numbers of `--per-class`, ascending. Raises `UsageError` for anything else."""
    words = [word.strip() for word in text.split(",")]
    found = {int(word) for word in words if word.isascii() and word.isdecimal()}
    if len(found) != len(words) or min(found) < 1:
        raise UsageError(
            f"--per-class must be whole numbers from 1, such as 1,2,5,10, each listed once, got"
            f" {text!r}."
        )
    return tuple(sorted(found))


def _keys_per_class(options: CoresetOptions, source: CoresetData) -> int:
    """The budget of each class; what `--total` leaves over when shared out evenly is not used."""
    if options.total is None:
        return budgets(options.per_class or PER_CLASS)[0]
    classes = len(np.unique(source.labels[source.labels >= 0]))
    if options.total < classes:
        raise UsageError(
            f"--total must be at least {classes}, one key for each class, got {options.total}."
        )
    return options.total // classes


def _check_place(path: Path, store: Path | None) -> None:
    if store is not None and path.resolve() == store.resolve():
        raise UsageError(f"--output {path} is the store to condense; name another folder.")
    if path.is_file() or not may_hold_store(path):
        raise UsageError(
            f"--output {path} holds other things than a key store; name a new or an empty folder."
        )


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
