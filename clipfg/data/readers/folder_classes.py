"""The classes of a tree whose levels are known: names, taxonomy, and what folds into them."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from clipfg.data.readers.class_tables import with_lineages
from clipfg.data.readers.folder_pieces import without_pieces
from clipfg.data.readers.folder_tree import Place
from clipfg.data.readers.folder_words import (
    is_beside,
    is_beside_of,
    is_code,
    says_little,
    split_of,
    words,
)
from clipfg.data.readers.labels import natural, plain, readable_names
from clipfg.data.readers.walk import Parts, in_order
from clipfg.data.sources import shown
from clipfg.types import ClassList

LINEAGE = re.compile(r"(?:\d+_)?[A-Z][a-z]+(?:_[A-Z][a-z]+){5}_[a-z]+(?:-[a-z]+)*")
"""A folder of iNaturalist's competitions: `00000_Animalia_..._Lumbricus_terrestris`."""

GENUS = re.compile(r"[A-Z][a-z]+(?:a|us|um|is|as|es|os|on|ys|x|i|e)")
EPITHET = re.compile(r"[a-z-]+(?:a|us|um|is|i|ae|ens|ans|or|ax|ex|ix|x|on|os|es|[lrst]e|oides)")
"""What names of genera, and of species below them, look like: `Rosa/canina`."""

LEVELS = ("genus", "family", "order", "class", "phylum", "kingdom")
_COPY = re.compile(r"(.*\S)(?: \(\d{1,3}\)| - Copy(?: \(\d+\))?)")


@dataclass
class Classes:
    """What the folders from the classes down say."""

    places: dict[Parts, Place]
    """As given, with splits that stand inside a class."""
    labels: dict[Parts, int] = field(default_factory=dict)
    """The class of each folder; others have none."""
    classes: ClassList | None = None
    left_out: dict[Parts, str] = field(default_factory=dict)
    folded: dict[str, None] = field(default_factory=dict)
    """Folders below the classes that make none of their own."""
    doubts: list[str] = field(default_factory=list)


Named = Callable[[Sequence[str]], Mapping[str, str]]
"""Names for folders that are called by numbers or ids; fewer where they are not known."""


def read_classes(places: Mapping[Parts, Place], named: Named = lambda _: {}) -> Classes:
    """The class of each folder that has levels."""
    found = Classes(dict(places))
    paths: dict[Parts, Parts] = {}
    for folder, place in places.items():
        if not place.levels:
            continue
        kept, split, out = _below_the_class(place.levels)
        if out:
            found.left_out[folder] = "a folder word, no class"
            del found.places[folder]
            continue
        if split and place.split is None:
            found.places[folder] = replace(place, split=split)
        found.folded |= dict.fromkeys(name for name in place.levels[1:] if name not in kept)
        paths[folder] = kept
    paths = _in_one_spelling(_without_copies(paths))
    cut, doubts = without_pieces(set(paths.values()))
    found.doubts += doubts
    found.folded |= dict.fromkeys(n for path, kept in cut.items() for n in path[len(kept) :])
    paths = {folder: cut[path] for folder, path in paths.items()}
    distinct = in_order(set(paths.values()))
    if distinct:
        labels = {path: label for label, path in enumerate(distinct)}
        found.labels = {folder: labels[path] for folder, path in paths.items()}
        found.classes = _class_list(distinct, named)
    return found


def _below_the_class(levels: Parts) -> tuple[Parts, str | None, bool]:
    """The levels that may name a class, a split inside the class, and whether to leave it out."""
    kept, split = [levels[0]], None
    for name in levels[1:]:
        if is_beside(name) or is_beside_of(name, {words(kept[-1])}):
            return levels, None, True
        inside = split_of(name)
        if inside and not inside[1]:
            split = split or inside[0]
        elif not _says_nothing(name, kept[-1]):
            kept.append(name)
    return tuple(kept), split, False


def _says_nothing(name: str, above: str) -> bool:
    """Whether a folder below a class is none of its own by its name alone."""
    return says_little(name) or _same(name, above)


def _same(name: str, above: str) -> bool:
    """Whether a folder is called as the one above, or as a numbered piece: `v_Archery_g01_c03`."""
    own, theirs = words(name).replace(" ", ""), words(above).replace(" ", "")
    return own == theirs or re.fullmatch(rf"v?{re.escape(theirs)}([a-z]?0\d+)+", own) is not None


def _without_copies(paths: Mapping[Parts, Parts]) -> dict[Parts, Parts]:
    """`Blue_Jay (2)` is `Blue_Jay` where that is there, or where all are numbered so."""
    tops = {path[0] for path in paths.values()}
    plain = {top: match[1] for top in tops if (match := _COPY.fullmatch(top))}
    plain = {t: base for t, base in plain.items() if base in tops or len(plain) == len(tops)}
    return {folder: (plain.get(path[0], path[0]), *path[1:]) for folder, path in paths.items()}


def _in_one_spelling(paths: Mapping[Parts, Parts]) -> dict[Parts, Parts]:
    """`train/Blue_Jay` and `test/blue jay` are one class; two spellings side by side are two."""
    spellings: dict[str, dict[str, set[Parts]]] = defaultdict(lambda: defaultdict(set))
    for folder, path in paths.items():
        above = folder[: folder.index(path[0])] if path[0] in folder else folder
        spellings[plain(unicodedata.normalize("NFC", path[0]))][path[0]].add(above)
    first = {
        name: min(alike, key=lambda n: (n.isupper(), n.islower(), natural(n)))
        for alike in spellings.values()
        if len(alike) > 1 and sum(map(len, alike.values())) == len(set().union(*alike.values()))
        for name in alike
    }
    return {folder: (first.get(path[0], path[0]), *path[1:]) for folder, path in paths.items()}


def _class_list(distinct: Sequence[Parts], named: Named) -> ClassList:
    """The classes of folders, with those above as their taxonomy."""
    if all(len(path) == 1 and LINEAGE.fullmatch(path[0]) for path in distinct):
        return _lineages([path[0] for path in distinct])
    if all(is_code(path[-1]) for path in distinct):
        names_of = named([path[-1] for path in distinct])
        distinct = [(*path[:-1], names_of.get(path[-1], path[-1])) for path in distinct]
    names = _class_names(distinct)
    return ClassList(tuple(names), _taxonomy(distinct, names))


def _lineages(folders: Sequence[str]) -> ClassList:
    ranks = [re.sub(r"^\d+_", "", folder).split("_") for folder in folders]
    names = [f"{rank[5]} {rank[6]}" for rank in ranks]
    if len(set(names)) < len(names):
        names = [" ".join(rank) for rank in ranks]
    return with_lineages(names, [rank[5::-1] for rank in ranks], LEVELS)


def _class_names(distinct: Sequence[Parts]) -> list[str]:
    """Readable, unique names: of the last folder, or of the whole path where two end alike."""
    last = [parts[-1] for parts in distinct]
    if _are_binomials(distinct):
        last = [f"{parts[-2]} {parts[-1]}" for parts in distinct]
    keys = {name.rpartition("=")[0] for name in last}
    if len(keys) == 1 and "" not in keys:
        last = [name.rpartition("=")[2] for name in last]  # label=jay, as Hive and Spark write
    unique = len(set(last)) == len(last)
    names = last if unique else ["/".join(parts) for parts in distinct]
    return [shown(unicodedata.normalize("NFC", name)) for name in readable_names(names)]


def _are_binomials(distinct: Sequence[Parts]) -> bool:
    """Whether the last two folders are a genus and an epithet, which has to be told by most."""
    if not all(len(p) > 1 and GENUS.fullmatch(p[-2]) and p[-1].islower() for p in distinct):
        return False
    told = sum(EPITHET.fullmatch(parts[-1]) is not None for parts in distinct)
    return 5 * told >= 4 * len(distinct)


def _taxonomy(distinct: Sequence[Parts], names: Sequence[str]) -> dict[str, str]:
    """Folders above a class as its ancestors, where their names are unambiguous."""
    parents: dict[str, str] = {}
    for parts, name in zip(distinct, names, strict=True):
        chain = [name, *(shown(part.replace("_", " ")) for part in reversed(parts[:-1]))]
        for child, parent in pairwise(chain):
            if child == parent or parents.setdefault(child, parent) != parent:
                return {}
    if set(parents.values()) & set(names) or any(_circles(name, parents) for name in names):
        return {}
    return parents


def _circles(name: str, parents: Mapping[str, str]) -> bool:
    seen = {name}
    while (name := parents.get(name, "")) and name not in seen:
        seen.add(name)
    return name in seen
