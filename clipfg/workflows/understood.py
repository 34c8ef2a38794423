"""How data were understood, for the terminal, for `datasets show` and for `results.json`."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from clipfg.types import UNLABELLED, LeftOut, Manifest

NAMED = 4
"""How many classes, and things left out, the line on the terminal names."""


def sentence(manifest: Manifest) -> str:
    """`9 pictures, 3 classes (a, b, c), splits test 3, train 6; left out: cover.jpg, runs/`."""
    parts = [pictures(manifest)]
    if (classes := manifest.classes) is not None:
        shown = ", ".join(classes.names[:NAMED]) + (", ..." if len(classes) > NAMED else "")
        parts.append(f"{len(classes):,} {'class' if len(classes) == 1 else 'classes'} ({shown})")
    without = int((manifest.labels == UNLABELLED).sum())
    if without:
        parts.append("no labels" if without == len(manifest) else f"{without:,} without a label")
    if manifest.splits:
        parts.append("splits " + ", ".join(f"{k} {v:,}" for k, v in manifest.splits.items()))
    if classes is not None and classes.parents:
        parts.append(f"{len(set(classes.parents.values())):,} groups above the classes")
    left_out = manifest.reading.left_out if manifest.reading else ()
    return ", ".join(parts) + (f"; left out: {_listed(left_out)}" if left_out else "")


def pictures(manifest: Manifest) -> str:
    """`9 pictures`, or `12 boxes in 9 pictures`."""
    boxes = f"{len(manifest):,} boxes in " if "box" in manifest.table.column_names else ""
    count = _count(manifest)
    return f"{boxes}{count:,} {'picture' if count == 1 else 'pictures'}"


def _count(manifest: Manifest) -> int:
    if "box" not in manifest.table.column_names:
        return len(manifest)
    return len(manifest.table["uri"].unique())


def _listed(left_out: tuple[LeftOut, ...]) -> str:
    names = [_named(one) for one in left_out]
    rest = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {rest:,} more" if rest > 0 else "")


def _named(one: LeftOut) -> str:
    if one.count == 1:
        return one.what
    return f"{one.what} and {one.count - 1:,} more ({one.why})"


def facts(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """All of it as pairs of fact and value."""
    reading = manifest.reading
    if reading is None:
        return
    yield "read as", reading.form
    for role in reading.roles:
        yield role.part, role.meaning
    for one in reading.left_out:
        count = f", {one.count:,}" if one.count > 1 else ""
        yield f"left out: {one.what}", f"{one.why}{count}"
    for doubt in reading.doubts:
        yield "doubt", doubt


def plain(manifest: Manifest) -> dict[str, Any]:
    """All of it as plain values, for `results.json`."""
    found: dict[str, Any] = {"pictures": _count(manifest), "splits": manifest.splits}
    if "box" in manifest.table.column_names:
        found["boxes"] = len(manifest)
    if manifest.classes is not None:
        found["classes"] = len(manifest.classes)
        found["labelled"] = int((manifest.labels != UNLABELLED).sum())
    return found | (asdict(manifest.reading) if manifest.reading else {})
