"""Annotation files as data: one that is named, or those that lie in a folder."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from clipfg.data.readers.formats.annotations import Annotations
from clipfg.data.readers.formats.assembling import assemble
from clipfg.data.readers.formats.foreign import describe
from clipfg.data.readers.formats.form import Form, Sample, read
from clipfg.data.readers.formats.joining import join
from clipfg.data.readers.formats.matching import find_pictures
from clipfg.data.readers.formats.searching import (
    Source,
    annotation_files,
    check_one_set,
    picture_walk,
    unwrap,
)
from clipfg.data.readers.labels import relabel
from clipfg.data.readers.walk import Walk
from clipfg.errors import ClipfgError
from clipfg.types import ClassList, Hints, Manifest, Reading

UNSETTLED = Hints()


def read_file(
    path: Path, form: Form, *, classes: ClassList | None = None, hints: Hints = UNSETTLED
) -> Manifest:
    """The items of an annotation file, whose pictures lie below its folder.

    Raises `DataError` for a damaged file, pictures that are not there, and boxes that lie outside
    their pictures.
    """
    path = path.absolute()
    annotations = read(form, path, hints)
    return _assembled(annotations, picture_walk(path.parent), path.stem, classes, hints)


def read_folder(
    path: Path,
    found: Walk,
    otherwise: Callable[[], Manifest],
    *,
    classes: ClassList | None = None,
    hints: Hints = UNSETTLED,
) -> Manifest:
    """The items of the annotation files in a folder, else those that `otherwise` finds in it.

    `found` are its pictures. Boxes without labels, such as a detector's, go onto what is there
    otherwise. Raises `DataError` as `read_file`, and for several files that are not one set.
    """
    path = path.absolute()
    given = hints.boxes.resolve() if hints.boxes else None
    root = unwrap(path)
    sources = [one for one in annotation_files(root) if one[0].resolve() != given]
    labelled = [one for one in sources if not (one[1].detections or one[1].foreign)]
    if labelled and hints.label_level is None:
        check_one_set(labelled, root)
        annotations = _annotations(labelled, hints)
        if not len(annotations) and (base := _by_folders(otherwise)) is not None:
            return base  # a data.yaml of class folders
        if annotations.classes or annotations.captions:
            pictures = found if found.pictures else picture_walk(path)
            return _assembled(annotations, pictures, path.name, classes, hints)
        return join(otherwise(), annotations, hints)
    base = otherwise()
    detections = [one for one in sources if one[1].detections]
    if detections and given is None:
        check_one_set(detections, root)
        return join(base, _annotations(detections, hints), hints)
    foreign = [file for file, form in sources if form.foreign]
    if foreign and base.classes is None and (said := describe(Sample(foreign[0]))):
        reading = base.reading or Reading("images")
        return replace(base, reading=replace(reading, doubts=(*reading.doubts, said)))
    return base


def _by_folders(otherwise: Callable[[], Manifest]) -> Manifest | None:
    """What there is without annotations, where that has classes."""
    try:
        base = otherwise()
    except ClipfgError:
        return None
    return base if base.classes is not None else None


def _annotations(sources: list[Source], hints: Hints) -> Annotations:
    (first, form), *others = sources
    annotations = read(form, first, hints)
    for file, _ in others:
        annotations.extend(read(form, file, hints))
    return annotations


def _assembled(
    annotations: Annotations,
    pictures: Walk,
    name: str,
    classes: ClassList | None,
    hints: Hints,
) -> Manifest:
    manifest = assemble(annotations, find_pictures(annotations, pictures), name, hints)
    return relabel(manifest, classes)
