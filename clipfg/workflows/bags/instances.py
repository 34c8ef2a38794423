"""From the items of a job to bags of features."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from clipfg.data.bagging import bag_labels, bag_splits, bagged_by, draw_bags
from clipfg.errors import DataError, UsageError
from clipfg.heads import FeatureSets
from clipfg.heads.bags.nets import PART
from clipfg.options import BagsOptions, PredictOptions
from clipfg.types import Manifest
from clipfg.types.dense import bag_offsets, gather
from clipfg.workflows.bags.tiling import Tiling, cut
from clipfg.workflows.dataset import Dataset
from clipfg.workflows.run_folder import Failures
from clipfg.workflows.session import Session

logger = logging.getLogger("clipfg")


@dataclass(frozen=True)
class BaggedData:
    """Items in bags, those of a bag together."""

    items: Dataset
    tiling: Tiling | None = None

    @classmethod
    def of(
        cls,
        data: Dataset,
        options: BagsOptions | PredictOptions,
        failures: Failures,
    ) -> "BaggedData":
        """The items in the bags that `--bag-by` names; says how many there are.

        With `--tiles`, a picture is by default a bag. At most `--limit` bags are drawn.
        """
        by, manifest, tiling = options.bag_by, data.manifest, None
        if options.tiles is not None:
            if data.features is not None:
                raise UsageError("--tiles needs pictures; features of whole images have no tiles.")
            own = "bag" if "bag" in manifest.table.column_names else "id"
            manifest = bagged_by(manifest, by or own)
            bag_labels(manifest), bag_splits(manifest)  # what is refused is refused before the cut
            tiling = cut(_limited(manifest, options), options, failures)
            manifest = tiling.manifest
        else:
            manifest = _limited(bagged_by(manifest, by), options)
        features = data.features and replace(data.features, bag_offsets=None, bag_names=())
        found = cls(Dataset(manifest, features), tiling)
        sizes = np.bincount(found.numbers)
        alone = int((sizes == 1).sum())
        logger.info(
            f"Bags: {len(sizes):,} of {sizes.min():,} to {sizes.max():,} instances, median"
            f" {np.median(sizes):,.0f}{f'; {alone:,} have one alone' if alone else ''}"
        )
        return found

    @cached_property
    def numbers(self) -> NDArray[np.int64]:
        """The bag of each item."""
        numbers = self.items.manifest.bags
        assert numbers is not None
        return numbers

    @cached_property
    def names(self) -> list[str]:
        """Of the bags."""
        return list(dict.fromkeys(self.items.manifest.table["bag"].to_pylist()))

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """Of the bags. Raises `DataError` for two labels in one."""
        return bag_labels(self.items.manifest)

    @cached_property
    def splits(self) -> list[str | None]:
        """Of the bags. Raises `DataError` for two splits in one."""
        return bag_splits(self.items.manifest)

    def check_several(self) -> None:
        """Raises `UsageError` where every bag has one instance: there is nothing to find in it."""
        if len(self.names) == len(self.items):
            raise UsageError(
                f"Expected bags of several instances, all {len(self.names):,} of {self.items.name}"
                " have one alone; name other bags by --bag-by, or use `clipfg fewshot`."
            )

    def bags(self, which: NDArray[np.bool_]) -> "BaggedData":
        """Some bags, whole."""
        return replace(self, items=self.items.rows(np.flatnonzero(which[self.numbers])))


@dataclass(frozen=True)
class Instances:
    """Bags of features; `rows` are the items `[r]` that have one, `bags` the bags `[b]`."""

    sets: FeatureSets
    rows: NDArray[np.int64]
    bags: NDArray[np.int64]

    def some(self, which: NDArray[np.int64]) -> "Instances":
        """The bags at some places."""
        rows, _ = gather(self.sets.offsets.numpy(), which)
        return Instances(self.sets[torch.from_numpy(which)], self.rows[rows], self.bags[which])

    def places(self, bag: int) -> NDArray[np.int64]:
        """The items of the bag at a place of `bags`."""
        start, stop = self.sets.offsets[bag : bag + 2].tolist()
        return self.rows[start:stop]


def blocks(session: Session, data: BaggedData) -> Iterator[Instances]:
    """Bags as they are embedded, whole, several together where they are small.

    Bags of which no item can be used are left out and named.
    """
    waiting: list[tuple[NDArray[np.float32], NDArray[np.int64]]] = []
    count, last, used = 0, -1, np.zeros(len(data.names), dtype=bool)
    for batch in session.batches(data.items):
        numbers = data.numbers[batch.positions]
        used[numbers] = True
        ends = np.flatnonzero(np.diff(numbers, prepend=last) != 0)
        if count >= PART and ends.size:  # all before the last bag that begins here is whole
            cut = int(ends[-1])
            waiting.append((batch.vectors[:cut], batch.positions[:cut]))
            yield _joined(waiting, data)
            waiting, count = [], 0
            batch_rows = batch.vectors[cut:], batch.positions[cut:]
        else:
            batch_rows = batch.vectors, batch.positions
        waiting.append(batch_rows)
        count += len(batch_rows[1])
        last = int(numbers[-1])
    if count:
        yield _joined(waiting, data)
    for name in (data.names[bag] for bag in np.flatnonzero(~used)):
        logger.warning(f"Left out: the bag {name!r}, none of whose items can be used")


def gathered(session: Session, data: BaggedData) -> Instances:
    """All bags at once. Raises `DataError` when no item can be used."""
    parts = list(blocks(session, data))
    if not parts:
        raise DataError(f"Expected images that can be used, {data.items.name} has none.")
    vectors = [(part.sets.rows.numpy(), part.rows) for part in parts]
    return _joined(vectors, data)


def _limited(manifest: Manifest, options: BagsOptions | PredictOptions) -> Manifest:
    if options.limit is None:
        return manifest
    made = draw_bags(manifest, options.limit, options.seed)
    if len(made) < len(manifest):
        logger.info(f"Used: {options.limit:,} of the bags, drawn by seed {options.seed}")
    return made


def _joined(
    parts: list[tuple[NDArray[np.float32], NDArray[np.int64]]], data: BaggedData
) -> Instances:
    vectors, positions = (np.concatenate(each) for each in zip(*parts, strict=True))
    numbers = data.numbers[positions]
    offsets = bag_offsets(numbers)
    sets = FeatureSets(torch.from_numpy(vectors), torch.from_numpy(offsets))
    return Instances(sets, positions, numbers[offsets[:-1]])
