"""Folders below those of the classes: classes of their own, or pieces of one."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

from clipfg.data.readers.folder_words import is_code
from clipfg.data.readers.walk import Parts, in_order

RANK = re.compile(r"\w*(?:idae|aceae|inae|ales|iformes|oidea|optera)", re.IGNORECASE)
"""Latin names of families, orders and the like: what is below is a taxon."""

_NUMBERED = re.compile(r"(.*?)[\W_]*(?<!\d)(?:0\d+|\d{1,2})[A-Za-z]{0,2}")
"""A name and a number; what has more digits may be a model: `Airbus/A310`."""


def without_pieces(held: set[Parts]) -> tuple[dict[Parts, Parts], list[str]]:
    """Paths of folders without levels that make no class: below pictures, and pieces of one class.

    Also what is to be doubted of that.
    """
    doubts: list[str] = []
    cut = {p: next((p[:n] for n in range(1, len(p)) if p[:n] in held), p) for p in in_order(held)}
    if within := in_order(path for path, kept in cut.items() if path != kept):
        doubts.append(
            f"Folders such as {'/'.join(within[0])} lie beside pictures of"
            f" {cut[within[0]][-1]!r} and were taken for pieces of that class; --label-level"
            " decides otherwise."
        )
    below: dict[str, set[Parts]] = defaultdict(set)
    for path in cut.values():
        below[path[0]].add(path[1:])
    numbered = _numbered(below)
    if numbered and any(len(path) > 1 for path in cut.values()):
        example = next(path for path in in_order(cut.values()) if len(path) > 1)
        doubts.append(
            f"Folders such as {'/'.join(example)} were taken for pieces of the class"
            f" {example[0]!r}; --label-level decides otherwise."
        )
        cut = {path: kept[:1] for path, kept in cut.items()}
    elif _lone(below):
        example = in_order(cut.values())[0]
        doubts.append(
            f"Each class has one folder below it ({'/'.join(example)}), and is called by its own;"
            " --label-level takes the name of the other."
        )
        cut = {path: kept[:1] for path, kept in cut.items()}
    elif shared := _shared(below):
        doubts.append(
            f"The same names ({', '.join(shared[:3])}) are below several folders, so that classes"
            " are called by both; --label-level takes one of the levels."
        )
    elif (alone := next((t for t in below if () in below[t]), None)) and any(
        len(p) > 1 for p in cut.values()
    ):
        inner = next(path for path in in_order(cut.values()) if len(path) > 1)
        doubts.append(
            f"Folders such as {'/'.join(inner)} were taken for classes beside {alone!r};"
            f" --label-level takes {inner[0]!r} for one."
        )
    elif piece := _named_pieces(in_order({*cut.values()})):
        doubts.append(
            f"Folders such as {'/'.join(piece)} were taken for classes, and may be pieces of"
            f" {piece[-2]!r}; --label-level takes the folders above."
        )
    return cut, doubts


def _numbered(below: Mapping[str, set[Parts]]) -> bool:
    """Whether all that is below the folders are numbers, or numbered pieces of one name."""
    subs = [path[0] for paths in below.values() for path in paths if path]
    if not subs or any(is_code(top) for top in below):
        return False
    if all(name.isdecimal() for name in subs):
        return True
    stems = {(re.sub(r"[\W_]*\d+\w?$", "", name).casefold()) for name in subs}
    return (
        len(stems) == 1 < len(subs)
        and len(stems.pop()) > 2
        and all(re.search(r"\d", n) for n in subs)
    )


def _named_pieces(paths: Iterable[Parts]) -> Parts | None:
    """One of the folders where each has in it those of one name and a number: `A1`, `A2`."""
    inside: dict[Parts, list[str]] = defaultdict(list)
    for path in paths:
        inside[path[:-1]].append(path[-1])
    matches = [[_NUMBERED.fullmatch(name) for name in names] for names in inside.values()]
    stems = [{match[1] if match else None for match in own} for own in matches]
    apart = len(set().union(*stems)) == len(stems) > 1 and all(len(own) == 1 for own in stems)
    largest = max(inside, key=lambda above: len(inside[above]), default=())
    if not apart or () in inside or {None} in stems or len(inside[largest]) < 2:
        return None
    return (*largest, inside[largest][0])


def _lone(below: Mapping[str, set[Parts]]) -> bool:
    """Whether each folder holds one other, each another, and no family holds a species."""
    subs = [path[0] for paths in below.values() for path in paths if path]
    alone = len(below) > 1 and all(len(paths) == 1 for paths in below.values())
    distinct = len({*subs}) == len(below)
    return alone and distinct and not any(is_code(top) or RANK.fullmatch(top) for top in below)


def _shared(below: Mapping[str, set[Parts]]) -> list[str]:
    """Names below at least two folders, where most names are."""
    where: dict[str, set[str]] = defaultdict(set)
    for top, paths in below.items():
        for path in paths:
            if path:
                where[path[-1]].add(top)
    shared = sorted(name for name, tops in where.items() if len(tops) > 1)
    return shared if 2 * len(shared) > len(where) else []
