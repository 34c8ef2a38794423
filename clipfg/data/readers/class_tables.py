"""The tables of class names and taxonomies that the package carries, one per data set.

A table is a CSV in `clipfg/data/names`: `name`, where needed the `folder` that the data set has for
it, and a column per level above, nearest first. Its rows are in the order of the labels.
"""

import csv
from collections.abc import Mapping, Sequence
from importlib.resources import files

from clipfg.data.readers.labels import plain, readable_names
from clipfg.types import ClassList


def rows(table: str) -> list[dict[str, str]]:
    """The rows of a table, in the order of the labels."""
    text = (files("clipfg.data") / "names" / f"{table}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def class_list(table: str) -> ClassList:
    """The classes of a table, with the levels above them as the taxonomy."""
    entries = rows(table)
    levels = [column for column in entries[0] if column not in {"name", "folder"}]
    lineages = {row["name"]: [row[level] for level in levels] for row in entries}
    whole = tuple(levels) if all(map(all, lineages.values())) else ()
    return ClassList(tuple(lineages), taxonomy(lineages, levels), levels=whole)


def readable(official: Sequence[str], table: str) -> list[str]:
    """A readable name for each name that a data set's files have, in their order.

    The table's where it has one (by its folder, or by the name without case and punctuation),
    else one made from the official name.
    """
    known = {row.get("folder") or plain(row["name"]): row["name"] for row in rows(table)}
    made = readable_names(official)
    return [known.get(o) or known.get(plain(o)) or m for o, m in zip(official, made, strict=True)]


def taxonomy(lineages: Mapping[str, Sequence[str]], levels: Sequence[str]) -> dict[str, str]:
    """Child to parent, from each class's ancestors.

    Parameters
    ----------
    lineages
        Class name to its ancestors, nearest first; blank ones are left out.
    levels
        What the ancestors are, nearest first ("genus", "family").

    Names of different things are kept apart: a family called like a class or like a nearer level is
    "A310 (family)", and one of two genera of one name is "Morus (Sulidae)".
    """
    owner: dict[str, str] = dict.fromkeys(lineages, "")
    paths: dict[str, tuple[tuple[str, str], ...]] = {}
    for name, above in lineages.items():
        paths[name] = tuple((level, a) for level, a in zip(levels, above, strict=True) if a)
    for level in levels:  # a nearer level keeps its plain names
        for node in {a for path in paths.values() for at, a in path if at == level}:
            owner.setdefault(node, level)
    titles: dict[tuple[tuple[str, str], ...], str] = {}
    homes: dict[tuple[str, str], set[tuple[tuple[str, str], ...]]] = {}
    for path in paths.values():
        for start in range(len(path)):
            homes.setdefault(path[start], set()).add(path[start:])
    for home in (tail for tails in homes.values() for tail in tails):
        level, node = home[0]
        title = node if owner[node] == level else f"{node} ({level})"
        if len(homes[home[0]]) > 1:
            title = f"{title} ({home[1][1] if len(home) > 1 else level})"
        titles[home] = title
    parents: dict[str, str] = {}
    for name, path in paths.items():
        child = name
        for start in range(len(path)):
            parents[child] = titles[path[start:]]
            child = titles[path[start:]]
    return parents
