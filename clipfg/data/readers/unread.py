"""Files beside pictures that say something of them in a form that nobody here reads."""

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from clipfg.data.readers import table
from clipfg.data.readers.folder_tables import ANSWERS, share_there, split_in, without_classes
from clipfg.data.readers.table_formats.opening import SUFFIXES as TABLES
from clipfg.data.readers.walk import Parts, Walk
from clipfg.data.sources import shown
from clipfg.errors import ClipfgError
from clipfg.types import UNLABELLED, Hints, Manifest, Reading

SUFFIXES = frozenset(
    {".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".txt", ".xml", ".xmp", ".manifest"}
) | {*("", ".labels", ".lst", ".dat", ".tab", ".yaml", ".yml")}
BINARY = frozenset({".mat", ".npy", ".npz", ".pkl", ".pickle", ".h5", ".rds", ".rdata"}) | {
    *(".db", ".sqlite", ".sqlite3", ".mdb", ".accdb", ".feather", ".arrow", ".gz", ".numbers")
}
"""Of files that hold labels where their name says so, or they name a picture."""

LOOKED_AT = 20
"""Files of a suffix that are looked at, and how many pictures they are asked for."""
HEAD = 1 << 18

_NOT_READ = "and is not read; write a table with the columns path, label and split."
_BY_HAND = {"a folder per class", "a table"}
_YOLO = re.compile(rb"\d+(?: +\d*\.?\d+){4,}\s*(?:\n|$)")
"""`class x y width height`."""
_LABELS = re.compile(r"label|class|annot|target|truth|meta", re.IGNORECASE)


def with_unread(manifest: Manifest, found: Walk, hints: Hints) -> Manifest:
    """The manifest with a doubt where it has no labels and a file seems to have them."""
    reading = manifest.reading or Reading("pictures")
    if manifest.classes is not None:
        return _with_unread_splits(manifest, reading, found, hints)
    said = " ".join(reading.doubts)
    file, doubt = without_classes(found.root, hints)
    if file and file not in said:
        return replace(manifest, reading=replace(reading, doubts=(*reading.doubts, doubt)))
    files = [parts for parts in _telling(found) if parts[-1] not in said]
    if not files:
        return manifest
    more = f" (and {len(files) - 1} more)" if len(files) > 1 else ""
    doubt = f"{shown('/'.join(files[0]))}{more} is about these pictures, but "
    if _YOLO.match(_head(found, files[0])):
        doubt += (
            "lacks the names of its classes; write a data.yaml with `names:` and the folders of"
            " pictures as `train:` and `val:`."
        )
    else:
        doubt += (
            "in no form that is read here, so that they have no labels; write a table with the"
            " columns path and label, or convert it to COCO (`pip install panlabel` converts most"
            " forms)."
        )
    return replace(manifest, reading=replace(reading, doubts=(*reading.doubts, doubt)))


def _with_unread_splits(
    manifest: Manifest, reading: Reading, found: Walk, hints: Hints
) -> Manifest:
    """The manifest with a doubt where a file that is not used seems to say more of its pictures.

    That is their splits where it has none, or the labels of those that have none.
    """
    used = " ".join(role.part for role in reading.roles)
    unlabelled = manifest.labels == UNLABELLED
    if reading.form not in _BY_HAND or (manifest.splits and not unlabelled.any()):
        return manifest
    some = manifest.table["uri"].filter(pa.array(unlabelled))[:LOOKED_AT].to_pylist()
    names = [os.fsencode(Path(uri).name) for uri in some]
    for parts in _telling(found):
        listed = _without_labels(found.root.joinpath(*parts), hints)
        of_split = not manifest.splits and split_in(parts[-1].partition(".")[0])
        why = ""
        if listed is not None and not {*listed.uris} & {*manifest.uris}:
            why = f"names {len(listed):,} pictures and no labels, and they are left out; name it as"
            why += " the data to use them."
        elif not ANSWERS.search(parts[-1]):
            if of_split:
                why = f"seems to list pictures of a split, {_NOT_READ}"
            elif listed is None and any(name in _head(found, parts) for name in names):
                why = f"seems to have labels of pictures that are without, {_NOT_READ}"
        if why and parts[-1] not in used:
            doubts = (*reading.doubts, f"{shown('/'.join(parts))} {why}")
            return replace(manifest, reading=replace(reading, doubts=doubts))
    return manifest


def _without_labels(file: Path, hints: Hints) -> Manifest | None:
    """The pictures of a table that are there and have no classes in it; None for other files."""
    try:
        listed = table.read(file, hints=hints) if file.suffix.lower() in TABLES else None
    except ClipfgError:
        return None
    if listed is None or listed.classes is not None or share_there(listed) < 0.5:
        return None
    return listed


def _telling(found: Walk) -> Iterator[Parts]:
    """Files that are called as a picture, or name some, or are called labels."""
    names = [parts[-1] for parts in found.pictures]
    own = {name.lower() for name in names} | {name.rpartition(".")[0].lower() for name in names}
    asked = [os.fsencode(name) for name in [*names[:LOOKED_AT], *names[-LOOKED_AT:]]]
    for suffix, files in sorted(found.others.items()):
        for parts in sorted(files)[:LOOKED_AT] if suffix in SUFFIXES | BINARY else ():
            stem = parts[-1].rpartition(".")[0].lower() or parts[-1].lower()
            called = bool(_LABELS.search(stem))
            if suffix in BINARY:
                told = called or _names_some(found, parts, asked)
            else:
                told = stem in own or _names_some(found, parts, asked)
                told = told or (called and _head(found, parts).count(b"\n") == len(names) > 2)
            if told:
                yield parts


def _names_some(found: Walk, parts: Parts, asked: list[bytes]) -> bool:
    """Whether a file has the name of a picture, or those of nearly all without their suffix."""
    text = _head(found, parts)
    stems = {name.rpartition(b".")[0] for name in asked}
    tokens = {*re.findall(rb"[^\s,;|\"']+", text)} if len(stems) > 2 else set()
    return any(name in text for name in asked) or 5 * len(stems & tokens) > 4 * len(stems)


def _head(found: Walk, parts: Parts) -> bytes:
    try:
        with found.root.joinpath(*parts).open("rb") as file:
            return file.read(HEAD)
    except OSError:
        return b""
