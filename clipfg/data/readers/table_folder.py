"""Folders whose pictures are named and labelled by tables in them.

- `labels.csv` beside `images/`: one table for all pictures;
- `train.csv`, `val.csv`, `test.csv`: one for each split;
- `train/metadata.csv`, `test/_classes.csv`: one in each split;
- `data/metadata.csv`, `annotations/labels.csv`: one in a folder that says nothing else.

Folders that are classes count for more than a table, unless a table names nearly every picture and
puts those of one folder into several classes, as where pictures come in numbered parts.
"""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from clipfg.data.readers import folder as folders
from clipfg.data.readers import table
from clipfg.data.readers.codes import are_nameless
from clipfg.data.readers.folder_tables import (
    Table,
    labelled_tables,
    share_there,
    split_in,
    unwrapped,
)
from clipfg.data.readers.labels import natural, plain, relabel
from clipfg.data.readers.table_columns import OtherPicturesError
from clipfg.data.readers.table_doubts import naming
from clipfg.data.readers.table_formats.darwin_core import PICTURES
from clipfg.data.readers.table_formats.opening import open_table
from clipfg.data.readers.walk import Walk
from clipfg.errors import ClipfgError, DataError
from clipfg.types import UNLABELLED, ClassList, Hints, LeftOut, Manifest, Reading, Role

COVERED = 0.9
"""The least share of a folder's pictures that a table names where it counts for more than the
folders that they lie in."""

_TELLING = re.compile(
    r"label|meta|train|test|val|annot|class|truth|list|split|info|data", re.IGNORECASE
)


def read(
    path: Path, found: Walk, hints: Hints, classes: ClassList | None
) -> tuple[Manifest | None, str]:
    """The pictures of a folder as its tables have them; None where folders say more, or all.

    Also a doubt where folders are read though a table says something else. `found` is what a walk
    found there. Raises what `table.read` does where a single table names the pictures and cannot be
    used.
    """
    if hints.label_level is not None:
        return None, ""
    path = unwrapped(path)
    tables = labelled_tables(path, hints)
    if not tables:
        return None, ""
    problem: ClipfgError | None = None
    absent = ""
    read_ones: list[tuple[Table, Manifest]] = []
    for split, file in tables:
        try:
            manifest = table.read(file, hints=hints)
        except ClipfgError as error:
            problem = problem or error
            continue
        if share_there(manifest) >= 0.5 and manifest.classes is not None:
            read_ones.append(((split, file), manifest))
        elif share_there(manifest) > 0 and (reading := manifest.reading):
            absent = f"{file.name} is not read. {' '.join(reading.doubts)}"
    by_folders = _by_folders(found.root, found)
    if not read_ones:
        if by_folders is None and problem is not None and len(tables) == 1:
            raise problem
        told = problem is not None and not isinstance(problem, OtherPicturesError)
        return None, f"Folders are read, and not their table: {problem}" if told else absent
    chosen = _chosen(read_ones)
    whole = _joined(path, chosen)
    if by_folders is not None and not _says_more(whole, by_folders, chosen):
        return None, _contradicted(whole, by_folders, chosen)
    whole = _with_answers(whole, found)
    others = [file.name for (_, file), _ in read_ones if file not in {f for (_, f), _ in chosen}]
    whole = replace(whole, reading=_reading(whole, chosen, others, found, path, by_folders))
    return relabel(whole, classes), ""


def _by_folders(path: Path, found: Walk) -> Manifest | None:
    """What the folders alone say, where they say classes."""
    try:
        manifest = folders.read(path, found=found)
    except DataError:
        return None
    return manifest if manifest.classes is not None else None


def _chosen(ones: list[tuple[Table, Manifest]]) -> list[tuple[Table, Manifest]]:
    """One table for each split; all where no picture is in two; else the one that tells most.

    That is by its name, and by how many pictures it names.
    """
    of_splits = [one for one in ones if one[0][0] is not None]
    splits = {split for (split, _), _ in of_splits}
    if len(splits) == len(of_splits) > 1:
        return of_splits
    pictures = [{*manifest.uris} for _, manifest in ones] if len(ones) > 1 else [set()]
    if len(set().union(*pictures)) == sum(map(len, pictures)):
        return ones
    return [max(ones, key=lambda one: (bool(_TELLING.search(one[0][1].stem)), len(one[1])))]


def _joined(path: Path, ones: list[tuple[Table, Manifest]]) -> Manifest:
    """The rows of all tables; ids are unique by the folder or the split of their table."""
    if len(ones) == 1:
        (split, file), manifest = ones[0]
        if split is not None and file.parent != path and not manifest.splits:
            column = pa.array([split] * len(manifest), pa.string())
            manifest = replace(manifest, table=_with(manifest.table, "split", column))
        return replace(manifest, name=path.name)
    names = sorted({n for _, m in ones if m.classes for n in m.classes.names}, key=natural)
    places = {name: place for place, name in enumerate(names)}
    parents: dict[str, str] = {}
    synonyms: dict[str, dict[str, str]] = {}
    parts = []
    for (split, file), manifest in ones:
        own = manifest.classes
        assert own is not None
        parents |= own.parents
        for kind, others in own.synonyms.items():
            synonyms.setdefault(kind, {}).update(others)
        labels = np.array([*(places[name] for name in own.names), UNLABELLED])[manifest.labels]
        above = file.parent.name if file.parent != path else split or file.stem
        kept = ("id", "uri", "split", "label", "group")
        rows = manifest.table.select([c for c in kept if c in manifest.table.column_names])
        rows = _with(rows, "label", pa.array(labels, pa.int32(), mask=labels == UNLABELLED))
        rows = _with(rows, "id", pa.array([f"{above}/{i}" for i in manifest.ids], pa.string()))
        if not manifest.splits:
            rows = _with(rows, "split", pa.array([split] * len(rows), pa.string()))
        parts.append(rows)
    table_ = pa.concat_tables(parts, promote_options="default")
    columns = {name: table_[name] for name in table_.column_names}
    classes = ClassList(tuple(names), parents, synonyms=synonyms)
    return Manifest.build(path.name, columns, classes, reading=ones[0][1].reading)


def _with_answers(whole: Manifest, found: Walk) -> Manifest:
    """With the pictures of a split's folder that no table names: they are to be classified.

    The rows of tables are then of the split that their own folders are called after.
    """
    splits = {str(found.root.joinpath(*parts)): split_in(parts[0]) for parts in found.pictures}
    named = {splits.get(uri) for uri in whole.uris}
    others = {uri: split for uri, split in splits.items() if split and split not in named}
    if whole.splits or None in named or not others:
        return whole
    rows = whole.table
    column = pa.array([splits[uri] for uri in whole.uris], pa.string())
    rows = _with(rows, "split", column)
    ids = [Path(uri).relative_to(found.root).as_posix() for uri in others]
    added = Manifest.build(
        "", {"id": ids, "uri": [*others], "split": [*others.values()], "label": [None] * len(ids)}
    )
    return replace(whole, table=pa.concat_tables([rows, added.table], promote_options="default"))


def _with(rows: pa.Table, name: str, column: pa.Array) -> pa.Table:
    return rows.set_column(rows.column_names.index(name), name, column)


def _contradicted(whole: Manifest, by_folders: Manifest, ones: list[tuple[Table, Manifest]]) -> str:
    """A doubt where tables say another class than the folders that are read; else nothing."""
    pairs = _pairs(whole, by_folders)
    usual = {folder: label for (folder, label), _ in reversed(pairs.most_common())}
    others = sum(count for (folder, label), count in pairs.items() if usual[folder] != label)
    merged = len(usual) - len({*usual.values()})
    if not others and not merged:
        return ""
    files = ", ".join(file.name for (_, file), _ in ones[:3])
    what = f"{others:,} of their pictures into others" if others else "several of them into one"
    return (
        f"Folders are read as the classes, but {files} puts {what}; name the table as the data to"
        " take its classes."
    )


def _says_more(whole: Manifest, by_folders: Manifest, ones: list[tuple[Table, Manifest]]) -> bool:
    """Whether tables count for more than folders: they name nearly all pictures, and say more.

    That is splits, names for folders of numbers, or several classes in each folder.
    """
    assert by_folders.classes is not None
    folders = {plain(name) for name in by_folders.classes.names}
    telling = all(_TELLING.search(f.stem) or plain(f.stem) in folders for (_, f), _ in ones)
    if not telling or whole.classes is None:
        return False
    covered = len({*by_folders.uris} & {*whole.uris}) / max(1, len({*by_folders.uris}))
    if covered < COVERED:
        return False
    agree = len(_pairs(whole, by_folders)) == len(by_folders.classes) == len(whole.classes)
    if agree and _labelled(whole) > _labelled(by_folders):
        return True
    if are_nameless(whole.classes.names):
        return False
    splits = agree and len(whole.splits) > 1 and not by_folders.splits
    return splits or are_nameless(by_folders.classes.names) or _mixes(whole, by_folders)


def _labelled(manifest: Manifest) -> int:
    return int((manifest.labels != UNLABELLED).sum())


def _mixes(whole: Manifest, by_folders: Manifest) -> bool:
    """Whether tables put the pictures of each folder into several classes."""
    counts = Counter(folder for folder, _ in _pairs(whole, by_folders))
    return bool(counts) and min(counts.values()) > 1


def _pairs(whole: Manifest, by_folders: Manifest) -> Counter[tuple[int, int]]:
    """The classes of the folders and of the tables that the same pictures have, and how many."""
    given = dict(zip(by_folders.uris, by_folders.labels.tolist(), strict=True))
    return Counter(
        (given[uri], label)
        for uri, label in zip(whole.uris, whole.labels.tolist(), strict=True)
        if given.get(uri, UNLABELLED) != UNLABELLED != label
    )


def _reading(
    whole: Manifest,
    ones: list[tuple[Table, Manifest]],
    unread: list[str],
    found: Walk,
    path: Path,
    by_folders: Manifest | None,
) -> Reading:
    first = whole.reading or Reading("a table")
    files = [file.relative_to(path).as_posix() for (_, file), _ in ones]
    roles = (*(Role(file, "table of pictures and classes") for file in files), *first.roles)
    doubts = [d for _, m in ones for d in (m.reading.doubts if m.reading else ())]
    if by_folders is not None and _mixes(whole, by_folders):
        doubts.append(
            f"Folders could be classes too, but {files[0]} puts the pictures of each into several;"
            " --label-level 1 takes the folders."
        )
    if unread:
        doubts.append(
            f"{', '.join(unread[:3])}{', ...' * (len(unread) > 3)} names pictures and classes too,"
            f" and is not read beside {files[0]}; name the table that counts, or put all rows into"
            " one."
        )
    named = set(whole.uris)
    others = [p for p in found.pictures if str(found.root.joinpath(*p)) not in named]
    maps = [r.part for r in first.roles if r.meaning in {"names of the labels", PICTURES}]
    left_out = found.left_out(*(Path(file).name for file in files), *maps)
    if others:
        again = naming(open_table(ones[0][0][1]), {parts[-1] for parts in others})
        why = f"named by column {again}, which is not read" if again else f"not in {files[0]}"
        left_out.append(LeftOut("/".join(others[0]), len(others), why))
        if again:
            doubts.append(
                f"Column {again} names pictures too, which are left out; write a row for each"
                " picture, or --path-column takes that column."
            )
    form = "a table" if len(files) == 1 else "a table for each split"
    return replace(first, form=form, roles=roles, left_out=tuple(left_out), doubts=tuple(doubts))
