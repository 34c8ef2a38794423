"""Annotation files as data: one that is named, or those that lie in a folder."""

from pathlib import Path

from clipfg.data.readers import folder as folder_reader
from clipfg.data.readers.formats.assembling import assemble, find_pictures
from clipfg.data.readers.formats.foreign import describe
from clipfg.data.readers.formats.form import Form, Sample, read
from clipfg.data.readers.formats.joining import join
from clipfg.data.readers.formats.searching import (
    Source,
    annotation_files,
    check_one_set,
    picture_walk,
    unwrap,
)
from clipfg.data.readers.labels import relabel
from clipfg.data.readers.walk import Walk
from clipfg.errors import DataError
from clipfg.types import Choices, ClassList, Manifest

UNSETTLED = Choices()


def read_file(
    path: Path, form: Form, *, classes: ClassList | None = None, choices: Choices = UNSETTLED
) -> Manifest:
    """The items of an annotation file, whose pictures lie below its folder.

    Raises `DataError` for a damaged file, pictures that are not there, and boxes that lie outside
    their pictures.
    """
    path = path.absolute()
    return _read([(path, form)], picture_walk(path.parent), path.stem, classes, choices)


def read_folder(
    path: Path,
    found: Walk,
    *,
    classes: ClassList | None = None,
    choices: Choices = UNSETTLED,
) -> Manifest | None:
    """The items of the annotation files in a folder, None where it has none.

    `found` are its pictures. A detector's boxes go onto all of them, with the labels of their
    folders. Raises `DataError` as `read_file`, for several files that are not one set, and for a
    format that is not read where the folders name no classes either.
    """
    path = path.absolute()
    given = choices.boxes.absolute() if choices.boxes else None
    root = unwrap(path)
    sources = [one for one in annotation_files(root) if one[0] != given]
    labelled = [one for one in sources if not (one[1].detections or one[1].foreign)]
    if labelled:
        check_one_set(labelled, root)
        pictures = found if found.pictures else picture_walk(path)
        return _read(labelled, pictures, path.name, classes, choices)
    if not sources:
        return None
    base = folder_reader.read(path, classes=classes, choices=choices, found=found)
    detections = [one for one in sources if one[1].detections]
    if detections and given is None:
        check_one_set(detections, root)
        file, form = detections[0]
        return join(base, read(form, file, choices), choices)
    if base.classes is None and not detections:
        raise DataError(describe(Sample(sources[0][0])) or f"Expected annotations in {path}.")
    return base


def _read(
    sources: list[Source],
    pictures: Walk,
    name: str,
    classes: ClassList | None,
    choices: Choices,
) -> Manifest:
    (first, form), *others = sources
    annotations = read(form, first, choices)
    for file, _ in others:
        annotations.extend(read(form, file, choices))
    manifest = assemble(annotations, find_pictures(annotations, pictures), name, choices)
    return relabel(manifest, classes)
