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
from clipfg.data.readers.labels import natural, relabel
from clipfg.data.readers.walk import Walk
from clipfg.errors import ClipfgError, DataError
from clipfg.types import UNLABELLED, ClassList, Hints, LeftOut, Manifest, Reading, Role

COVERED = 0.9
"""The least share of a folder's pictures that a table names where it counts for more than the
folders that they lie in."""

_TELLING = re.compile(
    r"label|meta|train|test|val|annot|class|truth|list|split|info|data", re.IGNORECASE
)


def read(path: Path, found: Walk, hints: Hints, classes: ClassList | None) -> Manifest | None:
    """The pictures of a folder as its tables have them; None where folders say more, or all.

    `found` is what a walk found there. Raises what `table.read` does where a single table names the
    pictures and cannot be used.
    """
    if hints.label_level is not None:
        return None
    path = unwrapped(path)
    tables = labelled_tables(path, hints)
    if not tables:
        return None
    problem: ClipfgError | None = None
    read_ones: list[tuple[Table, Manifest]] = []
    for split, file in tables:
        try:
            manifest = table.read(file, hints=hints)
        except ClipfgError as error:
            problem = problem or error
            continue
        if share_there(manifest) >= 0.5 and manifest.classes is not None:
            read_ones.append(((split, file), manifest))
    by_folders = _by_folders(found.root, found)
    if not read_ones:
        if by_folders is None and problem is not None and len(tables) == 1:
            raise problem
        return None
    chosen = _chosen(read_ones)
    whole = _joined(path, chosen)
    if by_folders is not None and not _says_more(whole, by_folders, chosen):
        return None
    whole = _with_answers(whole, found)
    others = [file.name for (_, file), _ in read_ones if file not in {f for (_, f), _ in chosen}]
    whole = replace(whole, reading=_reading(whole, chosen, others, found, path, by_folders))
    return relabel(whole, classes)


def _by_folders(path: Path, found: Walk) -> Manifest | None:
    """What the folders alone say, where they say classes."""
    try:
        manifest = folders.read(path, found=found)
    except DataError:
        return None
    return manifest if manifest.classes is not None else None


def _chosen(ones: list[tuple[Table, Manifest]]) -> list[tuple[Table, Manifest]]:
    """One table for each split; else the one whose name tells most, and names most pictures."""
    splits = [split for (split, _), _ in ones]
    if len(ones) > 1 and None not in splits and len(set(splits)) == len(splits):
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
        above = file.parent.name if file.parent != path else split
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


def _says_more(whole: Manifest, by_folders: Manifest, ones: list[tuple[Table, Manifest]]) -> bool:
    """Whether tables count for more than folders: they name nearly all pictures, and say more.

    That is splits, names for folders of numbers, or several classes in each folder.
    """
    telling = all(_TELLING.search(file.stem) for (_, file), _ in ones)
    if not telling or whole.classes is None or are_nameless(whole.classes.names):
        return False
    covered = len({*by_folders.uris} & {*whole.uris}) / max(1, len({*by_folders.uris}))
    if covered < COVERED:
        return False
    assert by_folders.classes is not None
    agree = len(_pairs(whole, by_folders)) == len(by_folders.classes) == len(whole.classes)
    splits = agree and len(whole.splits) > 1 and not by_folders.splits
    return splits or are_nameless(by_folders.classes.names) or _mixes(whole, by_folders)


def _mixes(whole: Manifest, by_folders: Manifest) -> bool:
    """Whether tables put the pictures of each folder into several classes."""
    counts = Counter(folder for folder, _ in _pairs(whole, by_folders))
    return bool(counts) and min(counts.values()) > 1


def _pairs(whole: Manifest, by_folders: Manifest) -> set[tuple[int, int]]:
    """The classes of the folders and of the tables that the same pictures have."""
    given = dict(zip(by_folders.uris, by_folders.labels.tolist(), strict=True))
    return {
        (given[uri], label)
        for uri, label in zip(whole.uris, whole.labels.tolist(), strict=True)
        if uri in given and label != UNLABELLED
    }


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
    maps = [role.part for role in first.roles if role.meaning == "names of the labels"]
    left_out = found.left_out(*(Path(file).name for file in files), *maps)
    if others:
        left_out.append(LeftOut("/".join(others[0]), len(others), f"not in {files[0]}"))
    form = "a table" if len(files) == 1 else "a table for each split"
    return replace(first, form=form, roles=roles, left_out=tuple(left_out), doubts=tuple(doubts))
