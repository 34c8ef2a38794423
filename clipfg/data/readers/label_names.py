"""Names for labels that are numbers or codes, from a file that says what they stand for."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clipfg.data.readers.class_files import SUFFIXES, read_class_list
from clipfg.data.readers.labels import match_classes, natural
from clipfg.errors import ClipfgError
from clipfg.types import UNLABELLED, ClassList, Manifest

_TELLING = re.compile(
    r"map|name|class|label|categor|words|synset|species|id2|2id|taxon|data\.ya?ml|legend|dict|keys?\b|readme",
    re.IGNORECASE,
)
"""What such a file's name says."""

LARGEST = 1 << 24
"""Most bytes of a file that is tried without being asked for."""


def rename(manifest: Manifest, names: ClassList) -> Manifest:
    """`manifest` with its classes called as `names` has it, in the order of `names`.

    Labels stay the ids of their classes. Raises `DataError` for a label that `names` lacks.
    """
    own = manifest.classes
    if own is None:
        return manifest
    labels = manifest.table["label"].combine_chunks()
    ids = manifest.table["id"]

    def where(place: int) -> str:
        row = pc.index(labels, pa.scalar(place, labels.type)).as_py()
        return repr(ids[row].as_py()) if row >= 0 else "the data"

    places = match_classes(own, names, where)
    order = sorted(set(places))
    classes = names.only([names.names[place] for place in order])
    called = {place: own.names[i] for i, place in enumerate(places)}
    if not classes.ids:
        classes = replace(classes, ids=tuple(called[place] for place in order))
    new = np.array([*(order.index(place) for place in places), UNLABELLED])[manifest.labels]
    column = pa.array(new, pa.int32(), mask=new == UNLABELLED)
    at = manifest.table.column_names.index("label")
    return replace(manifest, table=manifest.table.set_column(at, "label", column), classes=classes)


def named_beside(folder: Path, own: ClassList, table: Path) -> tuple[Path, ClassList] | None:
    """The file in a folder that names all classes of `own`, which are codes; None for none.

    Where several files do and disagree, none is taken; nor is the table that has the codes.
    """
    found: dict[tuple[str, ...], tuple[Path, ClassList]] = {}
    for path in sorted(folder.iterdir(), key=lambda path: natural(path.name)):
        if path.suffix.lower() not in SUFFIXES or not _TELLING.search(path.name):
            continue
        try:
            if not path.is_file() or path.stat().st_size > LARGEST or path == table:
                continue
            names = read_class_list(path, ids=True)
            places = match_classes(own, names, lambda _: "the data")
        except (ClipfgError, OSError):
            continue
        found.setdefault(tuple(names.names[place] for place in places), (path, names))
    return next(iter(found.values())) if len(found) == 1 else None
