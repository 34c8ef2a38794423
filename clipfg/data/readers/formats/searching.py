"""Which annotation files a folder holds, and whether they are one data set."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from clipfg.data.readers.formats.coco import ANNOTATIONS, told_split
from clipfg.data.readers.formats.form import Form, Sample, recognise
from clipfg.data.readers.walk import Walk, walk
from clipfg.errors import DataError

SUFFIXES = frozenset({".json", ".xml", ".yaml", ".yml", ".csv", ".tsv", ".jsonl"}) | {
    *(
        ".ndjson",
        ".manifest",
        ".txt",
        ".lst",
        ".names",
        ".labels",
        ".xmp",
        ".tfrecord",
        ".tfrecords",
    )
}
"""Of files that may hold annotations."""

LOOKED_AT = 12
"""Files of a folder and a suffix that are looked at: there may be a million LabelMe files."""

MOST_FOLDERS = 24
"""With more folders below the data, only those are searched whose name says what they hold."""

Source = tuple[Path, Form]


def annotation_files(root: Path) -> list[Source]:
    """The annotation files below a folder: in it, in its folders, and in those of annotations.

    A format with a file a picture is one source, the folder that holds all of them; so is a package
    of several tables, or a list of names beside a YAML.
    """
    found = [source for folder in _folders(root) for source in _in(folder)]
    found.sort(key=lambda source: source[1].title)
    kept: list[Source] = []
    for form, group in groupby(found, key=lambda source: source[1]):
        files = [file for file, _ in group]
        if form.each_picture and len(files) > 1:
            files = [root]
        elif form.one_a_folder:
            files = list({file.parent: file for file in reversed(files)}.values())
        # COCO's own folder has key points and things without a shape beside the instances.
        files = [file for file in files if file.name.startswith("instances_")] or files
        kept += [(file, form) for file in files]
    return kept


def check_one_set(sources: list[Source], root: Path) -> None:
    """Raise `DataError` for files of several formats, or of one without a split for each."""
    marks = [told_split(file) for file, _ in sources]
    agree = len({form.title for _, form in sources}) == 1
    if agree and (len(sources) == 1 or (None not in marks and len(set(marks)) == len(marks))):
        return
    names = [f"{file.relative_to(root)} ({form.title})" for file, form in sources]
    raise DataError(
        f"Expected one set of annotations in {root}, got {len(names)}: {', '.join(names[:6])}; name"
        " the one to use as the data."
    )


def picture_walk(folder: Path) -> Walk:
    """The pictures of annotations in `folder`, or above one that holds nothing else."""
    found = walk(folder)
    named = folder.name.lower() in ANNOTATIONS
    return walk(folder.parent) if named and not found.pictures else found


def unwrap(path: Path) -> Path:
    """The folder inside folders that hold nothing else, as archives are unpacked."""
    while True:
        inside = [one for one in path.iterdir() if not one.name.startswith((".", "__MACOSX"))]
        if len(inside) != 1 or not inside[0].is_dir():
            return path
        path = inside[0]


def _in(folder: Path) -> Iterator[Source]:
    tried: dict[str, int] = {}
    try:
        files = sorted(one for one in folder.iterdir() if one.suffix.lower() in SUFFIXES)
    except OSError:
        return
    for file in files:
        suffix = file.suffix.lower()
        if tried.get(suffix, 0) >= LOOKED_AT or not file.is_file():
            continue
        tried[suffix] = tried.get(suffix, 0) + 1
        form = recognise(Sample(file))
        if form is not None and form.each_picture:
            tried[suffix] = LOOKED_AT
            yield folder, form
        elif form is not None:
            yield file, form


def _folders(root: Path) -> Iterator[Path]:
    yield root
    below = sorted(one for one in root.iterdir() if one.is_dir() and one.name[:1] != ".")
    telling = [one for one in below if one.name.lower() in ANNOTATIONS or told_split(one / "_")]
    telling += [one for one in below if one not in telling and (one / "ann").is_dir()]
    for folder in below if len(below) <= MOST_FOLDERS else telling:
        yield folder
        if folder in telling:
            yield from sorted(one for one in folder.iterdir() if one.is_dir())[:MOST_FOLDERS]
