"""`--bag-by`: which items make a bag, whose label is all that is known of them."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from clipfg.data.grouping import FOLDER, folders, found_in_ids
from clipfg.data.readers.column_names import key_of
from clipfg.errors import DataError, UsageError
from clipfg.registry import closest
from clipfg.types import COLUMNS, IN_A_BAG, UNLABELLED, Manifest
from clipfg.types.manifest import drawn

FLAG = "--bag-by"


def bagged_by(manifest: Manifest, by: str | None) -> Manifest:
    """The items with a bag each, those of a bag together; by default in those of the data.

    `by` is `folder`, a column of texts, or a regular expression whose group is found in the ids;
    None is the column `bag`, else `group`.
    Raises `UsageError` for anything else and for data without bags, `DataError` for items that are
    in none.
    """
    names = _names(manifest, by)
    missing = [i for i, name in enumerate(names) if not name or name.lower() == "nan"]
    if missing:
        raise DataError(
            f"Expected every item of {manifest.name} in a bag, got none for {len(missing):,} of"
            f" {len(names):,}, such as {manifest.ids[missing[0]]!r}; leave them out or name what"
            f" holds for all by {FLAG}."
        )
    table = manifest.table
    if "bag" in table.column_names:
        table = table.drop_columns(["bag"])
    table = table.append_column("bag", pa.array(names, pa.string()))
    ordered = table.select([name for name in COLUMNS if name in table.column_names])
    return replace(manifest, table=ordered).together()


def bag_labels(manifest: Manifest) -> NDArray[np.int64]:
    """The label of each bag `[b]`, `UNLABELLED` where no item has one.

    Raises `DataError` for a bag with two labels.
    """
    names, bags, labels = _bag_names(manifest), manifest.bags, manifest.labels
    assert bags is not None
    known = labels != UNLABELLED
    low, high = (np.full(len(names), fill) for fill in (np.iinfo(np.int64).max, UNLABELLED))
    np.minimum.at(low, bags[known], labels[known])
    np.maximum.at(high, bags[known], labels[known])
    if (mixed := np.flatnonzero((high >= 0) & (low != high))).size:
        bag, classes = int(mixed[0]), manifest.classes
        of = [classes.names[x] if classes else str(x) for x in (low[bag], high[bag])]
        raise DataError(
            f"Expected one label for each bag, got {of[0]!r} and {of[1]!r} in {names[bag]!r}"
            f" ({mixed.size:,} of {len(names):,} bags have several); give bags of one label, or"
            f" name other bags by {FLAG}."
        )
    return high


def bag_splits(manifest: Manifest) -> list[str | None]:
    """The split of each bag `[b]`. Raises `DataError` for a bag that is in two."""
    names, bags = _bag_names(manifest), manifest.bags
    assert bags is not None
    splits: list[str | None] = [None] * len(names)
    seen: set[int] = set()
    for bag, split in zip(bags.tolist(), manifest.table["split"].to_pylist(), strict=True):
        if bag in seen and splits[bag] != split:
            raise DataError(
                f"Expected each bag in one split, got items of {names[bag]!r} in"
                f" {splits[bag] or 'none'!r} and {split or 'none'!r}; a bag is learnt from or"
                " tested on as a whole."
            )
        seen.add(bag)
        splits[bag] = split
    return splits


def draw_bags(manifest: Manifest, count: int, seed: int) -> Manifest:
    """At most `count` bags, whole, drawn over labels and splits by a seed.

    Raises `DataError` for a bag of two labels or splits.
    """
    names, bags = _bag_names(manifest), manifest.bags
    assert bags is not None
    if count >= len(names):
        return manifest
    pairs = zip(bag_labels(manifest).tolist(), bag_splits(manifest), strict=True)
    kinds: dict[tuple[int, str | None], int] = {}
    numbers = np.array([kinds.setdefault(pair, len(kinds)) for pair in pairs])
    kept = np.isin(bags, drawn(numbers, count, seed))
    return replace(manifest, table=manifest.table.filter(pa.array(kept)))


def _bag_names(manifest: Manifest) -> list[str]:
    return list(dict.fromkeys(manifest.table["bag"].to_pylist()))


def _names(manifest: Manifest, by: str | None) -> list[str | None]:
    own = [name for name in manifest.table.column_names if COLUMNS[name] == pa.string()]
    reading = manifest.reading
    if by is None:
        by = next((name for name in ("bag", "group") if name in own), None)
        if by is None:
            raise UsageError(
                f"Expected bags in {manifest.name}, got none; name them by {FLAG} folder, a regular"
                r" expression such as '(slide\d+)_', or a table with a column `bag`."
            )
    if by == FOLDER:
        return list(folders(manifest))
    taken = [one.part for one in reading.roles if one.meaning == IN_A_BAG] if reading else []
    if key_of(f"column {by}") in map(key_of, taken):
        by = "bag"
    if by in own:
        return manifest.table[by].to_pylist()
    if "(" not in by:
        known = [*(name for name in own if name not in ("id", "uri", "split")), FOLDER]
        raise UsageError(
            f"Expected for {FLAG} folder, a column of {manifest.name} or a regular expression with"
            f" a group in parentheses, got {by!r}.{closest(by, known)}"
        )
    return found_in_ids(manifest, by, FLAG)
