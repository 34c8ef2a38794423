"""Annotation files as data: one that is named, or those that lie in a folder."""

from pathlib import Path

from clipfg.data.readers import folder as folder_reader
from clipfg.data.readers.formats.assembling import assemble, find_pictures
from clipfg.data.readers.formats.foreign import describe
from clipfg.data.readers.formats.form import Form, Sample
from clipfg.data.readers.formats.joining import join
from clipfg.data.readers.formats.searching import (
    Source,
    annotation_files,
    check_one_set,
    picture_root,
    unwrap,
)
from clipfg.data.readers.labels import relabel
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
    return _read([(path, form)], picture_root(path.parent), path.stem, classes, choices)


def read_folder(
    path: Path, *, classes: ClassList | None = None, choices: Choices = UNSETTLED
) -> Manifest | None:
    """The items of the annotation files in a folder, None where it has none.

    A detector's boxes go onto the pictures of the folder, whose labels are those of its folders.
    Raises `DataError` as `read_file`, for several files that are not one set, and for a format
    that is not read where the folders name no classes either.
    """
    path = path.absolute()
    root = unwrap(path)
    sources = annotation_files(root)
    labelled = [one for one in sources if not (one[1].detections or one[1].foreign)]
    if labelled:
        check_one_set(labelled, root)
        return _read(labelled, picture_root(root), path.name, classes, choices)
    if not sources:
        return None
    base = folder_reader.read(path, classes=classes)
    if detections := [one for one in sources if one[1].detections]:
        check_one_set(detections, root)
        file, form = detections[0]
        return join(base, form.read(file), choices)
    if base.classes is None:
        raise DataError(describe(Sample(sources[0][0])) or f"Expected annotations in {path}.")
    return None


def _read(
    sources: list[Source], root: Path, name: str, classes: ClassList | None, choices: Choices
) -> Manifest:
    (first, form), *others = sources
    found = form.read(first)
    for file, _ in others:
        found.extend(form.read(file))
    manifest = assemble(found, find_pictures(found, root), name, choices)
    return relabel(manifest, classes)
