"""The tables of class names and taxonomies that the package carries, one per data set.

A table is a CSV in `clipfg/data/names`: `name`; `folder`, where the data set's folders are named
differently; and a column per level above the classes, nearest first. Rows are in label order.
"""

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.resources import files
from itertools import pairwise

from clipfg.data.readers.labels import plain, readable_names
from clipfg.types import ClassList


def rows(table: str) -> list[dict[str, str]]:
    """The rows of a table, in label order."""
    text = (files("clipfg.data") / "names" / f"{table}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def folders(table: str) -> list[str]:
    """The folder that the data set keeps each class in, in label order."""
    return [row["folder"] for row in rows(table)]


def class_list(table: str, official: Sequence[str] | None = None) -> ClassList:
    """The classes of a table, with the levels above them as the taxonomy.

    `official` are the names or folders of the classes as the data set's files list them, in label
    order; the whole table where None. A class that the table lacks gets a readable form of its
    official name, and no ancestors.
    """
    entries = rows(table)
    names = [row["name"] for row in entries]
    if official is not None:
        known = {row.get("folder") or plain(row["name"]): row["name"] for row in entries}
        cleaned = zip(official, readable_names(official), strict=True)
        names = [known.get(o) or known.get(plain(o)) or readable for o, readable in cleaned]
    levels = [column for column in entries[0] if column not in {"name", "folder"}]
    above = {row["name"]: [row[level] for level in levels] for row in entries}
    return with_lineages(names, [above.get(name, [""] * len(levels)) for name in names], levels)


def with_lineages(
    names: Sequence[str],
    lineages: Sequence[Sequence[str]],
    levels: Sequence[str],
    texts: Mapping[str, tuple[str, ...]] | None = None,
) -> ClassList:
    """Classes with the ancestors of each, nearest first, as their taxonomy.

    The levels are kept where every class has an ancestor on each. Raises `DataError` for a name
    that occurs twice.
    """
    complete = tuple(levels) if all(map(all, lineages)) else ()
    parents = taxonomy(dict(zip(names, lineages, strict=True)), levels)
    return ClassList(tuple(names), parents, texts or {}, complete)


def taxonomy(lineages: Mapping[str, Sequence[str]], levels: Sequence[str]) -> dict[str, str]:
    """Child to parent, from each class's ancestors, nearest first; blank ones are skipped.

    `levels` are what the ancestors are, nearest first ("genus", "family"). Different
    nodes get different names: a family with the name of a class or of a nearer level is "A310
    (family)", and one of two genera of one name is "Morus (Sulidae)".
    """
    paths = {
        name: tuple((level, a) for level, a in zip(levels, above, strict=True) if a)
        for name, above in lineages.items()
    }
    nodes = {path[i:] for path in paths.values() for i in range(len(path))}  # each with all above
    owner = dict.fromkeys(lineages, "")
    for level in levels:  # a nearer level keeps the plain name
        for (own, name), *_ in nodes:
            if own == level:
                owner.setdefault(name, level)
    alike = Counter(node[0] for node in nodes)

    def title(node: tuple[tuple[str, str], ...]) -> str:
        level, name = node[0]
        text = name if owner[name] == level else f"{name} ({level})"
        if alike[node[0]] > 1:
            text = f"{text} ({node[1][1] if len(node) > 1 else level})"
        return text

    parents: dict[str, str] = {}
    for name, path in paths.items():
        parents.update(pairwise([name, *(title(path[i:]) for i in range(len(path)))]))
    return parents
