"""What belongs together: several pictures of one plant, lot or camera, or of one moment.

`--group-by` names it by a column, by a regular expression on ids, by folders, or by time stamps;
near copies need features, and are found in `clipfg.workflows.grouping`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import pyarrow as pa

from clipfg.data.sources import scheme_of
from clipfg.errors import DataError, UsageError
from clipfg.registry import closest
from clipfg.types import COLUMNS, TOGETHER, Manifest

if TYPE_CHECKING:
    from clipfg.data.images.time_stamps import Shot

FOLDER, NEAR_COPIES, BURST = "folder", "near-copies", "burst"
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_BURST = re.compile(rf"{BURST}(?::(\d+(?:\.\d+)?)\s*([a-z]*))?", re.IGNORECASE)
_SECONDS = 60.0


def grouped_by(manifest: Manifest, by: str) -> Manifest:
    """`manifest` with its column `group` as `by` says; null for pictures of which it says nothing.

    Raises `UsageError` for an unknown column and an expression that cannot be used, `DataError`
    where no picture has a time stamp.
    """
    reading = manifest.reading
    if by == FOLDER:
        return with_groups(manifest, folders(manifest))
    if by.partition(":")[0].lower() == BURST:
        return with_groups(manifest, bursts(manifest, burst_seconds(by)))
    if reading is not None and any(role.meaning == TOGETHER for role in reading.roles):
        return manifest  # a column that the reader has taken
    if by in manifest.table.column_names and COLUMNS[by] == pa.string():
        return with_groups(manifest, manifest.table[by].to_pylist())
    if "(" not in by:
        raise UsageError(_unknown(manifest, by))
    return with_groups(manifest, found_in_ids(manifest, by, "--group-by"))


def with_groups(manifest: Manifest, names: Sequence[str | None]) -> Manifest:
    """The same items in groups of these names `[n]`."""
    table = without_groups(manifest).table.append_column("group", pa.array(names, pa.string()))
    ordered = table.select([name for name in COLUMNS if name in table.column_names])
    return replace(manifest, table=ordered)


def without_groups(manifest: Manifest) -> Manifest:
    """The same items, of which nothing is known to belong together but parts of one picture."""
    if "group" not in manifest.table.column_names:
        return manifest
    return replace(manifest, table=manifest.table.drop_columns(["group"]))


def burst_seconds(by: str) -> float:
    """The longest pause within a burst, from `burst`, `burst:60s` or `burst:5m`, in seconds."""
    match = _BURST.fullmatch(by)
    unit = _UNITS.get((match[2] or "").lower()) if match else None
    if match is None or unit is None:
        raise UsageError(
            f"Expected a pause such as burst:60s, burst:5m or burst:1h for --group-by, got {by!r}."
        )
    return float(match[1]) * unit if match[1] else _SECONDS


def bursts(manifest: Manifest, pause: float) -> list[str | None]:
    """The first picture's id for each picture of a burst `[n]`, None without a time stamp.

    A burst is what one camera took with no longer a pause in between, in seconds. Raises
    `DataError` where no picture has a time stamp.
    """
    from clipfg.data.images.time_stamps import shots_at

    shots, ids = shots_at(manifest.uris), manifest.ids
    if not any(shots):
        raise DataError(
            f"Expected time stamps (EXIF DateTimeOriginal) in the pictures of {manifest.name} for"
            " --group-by burst, got none; group them by a column, by folder or by near-copies."
        )
    names: list[str | None] = [None] * len(ids)
    for run in chained(shots, pause):
        for row in run:
            names[row] = ids[min(run)]
    return names


def chained(shots: Sequence[Shot | None], pause: float) -> list[list[int]]:
    """Positions of the pictures of each burst; those without a time stamp are in none."""
    stamped = [(shot.camera, shot.time, row) for row, shot in enumerate(shots) if shot]
    runs: list[list[int]] = []
    last: tuple[str, datetime] | None = None
    for camera, time, row in sorted(stamped):
        near = last is not None and camera == last[0] and (time - last[1]).total_seconds() <= pause
        if near:
            runs[-1].append(row)
        else:
            runs.append([row])
        last = camera, time
    return runs


def folders(manifest: Manifest) -> list[str]:
    """The folder that each picture lies in `[n]`: by its path, else by its id."""
    return [_folder(*row) for row in zip(manifest.ids, manifest.uris, strict=True)]


def _folder(identity: str, uri: str) -> str:
    return str(PurePosixPath(uri if scheme_of(uri) is None else identity).parent)


def found_in_ids(manifest: Manifest, pattern: str, flag: str) -> list[str | None]:
    """What an expression's parentheses find in each id `[n]`, None where it is not found.

    Raises `UsageError` for an expression that cannot be used, which `flag` has given.
    """
    try:
        expression = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise UsageError(
            f"Expected a regular expression for {flag}, got {pattern!r:.80}: {error}."
        ) from None
    if not expression.groups:
        raise UsageError(
            f"Expected a group in {flag}, got {pattern!r:.80}; put parentheses around what"
            r" pictures of one thing have in common, as in '(plant\d+)_'."
        )
    matches = [expression.search(identity) for identity in manifest.ids]
    names = [match[1] if match else None for match in matches]
    if not any(names):
        raise UsageError(
            f"Expected {flag} to be found in the ids of {manifest.name}, got {pattern!r:.80}"
            f" and ids such as {manifest.ids[0]!r:.80}."
        )
    return names


def _unknown(manifest: Manifest, by: str) -> str:
    texts = [name for name in manifest.table.column_names if COLUMNS[name] == pa.string()]
    known = [name for name in texts if name not in ("id", "uri")]
    return (
        f"Expected for --group-by a column of {manifest.name}, a regular expression with a group"
        f" in parentheses, folder, burst:60s or near-copies, got {by!r}."
        f"{closest(by, (*known, FOLDER, NEAR_COPIES))}"
    )
