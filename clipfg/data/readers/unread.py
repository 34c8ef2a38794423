"""Files beside pictures that say something of them in a form that nobody here reads."""

import os
import re
from collections.abc import Iterator
from dataclasses import replace

from clipfg.data.readers.folder_tables import without_classes
from clipfg.data.readers.walk import Parts, Walk
from clipfg.data.sources import shown
from clipfg.types import Hints, Manifest, Reading

SUFFIXES = frozenset(
    {".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".txt", ".xml", ".manifest"}
) | {*("", ".labels", ".lst", ".dat", ".tab", ".yaml", ".yml")}
BINARY = frozenset({".mat", ".npy", ".npz", ".pkl", ".pickle", ".h5", ".rds", ".rdata"})
"""Of files that hold labels where their name says so."""

LOOKED_AT = 20
"""Files of a suffix that are looked at, and how many pictures they are asked for."""
HEAD = 1 << 18

_YOLO = re.compile(rb"\d+(?: +\d*\.?\d+){4,}\s*(?:\n|$)")
"""`class x y width height`."""
_LABELS = re.compile(r"label|class|annot|target|truth|meta", re.IGNORECASE)


def with_unread(manifest: Manifest, found: Walk, hints: Hints) -> Manifest:
    """The manifest with a doubt where it has no labels and a file seems to have them."""
    reading = manifest.reading or Reading("pictures")
    if manifest.classes is not None:
        return manifest
    if doubt := without_classes(found.root, hints):
        return replace(manifest, reading=replace(reading, doubts=(*reading.doubts, doubt)))
    said = " ".join(reading.doubts)
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


def _telling(found: Walk) -> Iterator[Parts]:
    """Files that are called as a picture, or name one, or are called labels."""
    names = [parts[-1] for parts in found.pictures]
    own = {name.lower() for name in names} | {name.rpartition(".")[0].lower() for name in names}
    asked = [os.fsencode(name) for name in [*names[:LOOKED_AT], *names[-LOOKED_AT:]]]
    for suffix, files in sorted(found.others.items()):
        for parts in sorted(files)[:LOOKED_AT]:
            stem = parts[-1].rpartition(".")[0].lower() or parts[-1].lower()
            named = suffix in BINARY and _LABELS.search(stem)
            if named or (suffix in SUFFIXES and (stem in own or _names_one(found, parts, asked))):
                yield parts


def _names_one(found: Walk, parts: Parts, asked: list[bytes]) -> bool:
    text = _head(found, parts)
    return any(name in text for name in asked)


def _head(found: Walk, parts: Parts) -> bytes:
    try:
        with found.root.joinpath(*parts).open("rb") as file:
            return file.read(HEAD)
    except OSError:
        return b""
