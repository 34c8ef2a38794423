"""What of a folder is left out and why, and whether that may be a class."""

from collections import Counter
from collections.abc import Collection

from clipfg.data.readers.folder_classes import Classes
from clipfg.data.readers.folder_levels import NO_CLASS, Levels
from clipfg.data.readers.walk import Parts, Walk
from clipfg.data.sources import shown
from clipfg.types import LeftOut

FEW = 3
"""Pictures that a folder needs to be taken for a class in spite of its name."""


def left_out(found: Walk, levels: Levels, below: Classes) -> list[LeftOut]:
    """Pictures beside what is used, folders of them, and archives, each kind once."""
    first: dict[tuple[str, str], str] = {}
    counts: Counter[tuple[str, str]] = Counter()
    whole = {**levels.tree.left_out, **below.left_out}
    for parts in found.pictures:
        folder = parts[:-1]
        if folder in below.places:
            continue
        out = next((folder[:n] for n in range(len(folder) + 1) if folder[:n] in whole), None)
        what = f"{'/'.join(out)}/" if out else "/".join(parts)
        why = whole[out] if out else levels.strays.get(folder, "beside the rest")
        key = (why, out[-1] if out else "")
        first.setdefault(key, shown(what))
        counts[key] += 1
    pictures = [LeftOut(first[key], counts[key], key[0]) for key in first]
    archives = [LeftOut(shown("/".join(parts)), 1, "an archive") for parts in found.archives]
    return pictures + archives[:10]


def doubts_on_left_out(found: Walk, levels: Levels, below: Classes) -> list[str]:
    """A doubt for a folder such as `masks/` that is as large as the classes beside it.

    One whose pictures are called as those of the classes was made from them.
    """
    sizes = {place: levels.tree.pictures.get(place, 0) for place in below.labels}
    for folder, why in levels.tree.left_out.items():
        beside = [size for place, size in sizes.items() if place[:-1] == folder[:-1]]
        own = levels.tree.pictures.get(folder, 0)
        alike = len(beside) > 1 and max(FEW, min(beside)) <= own <= max(beside)
        if why == NO_CLASS and alike and not _made_of(found, folder, sizes):
            return [
                f"{own:,} pictures of {shown('/'.join(folder))}/ are left out, as folders of that"
                f" name hold no class; --label-level {len(folder)} makes it one."
            ]
    return []


def _made_of(found: Walk, folder: Parts, classes: Collection[Parts]) -> bool:
    """Whether half of a folder's pictures are called as one picture of the classes each."""
    stems = Counter(_stem(parts) for parts in found.pictures if parts[:-1] in classes)
    own = [stems[_stem(parts)] == 1 for parts in found.pictures if parts[:-1] == folder]
    return 2 * sum(own) >= len(own)


def _stem(parts: Parts) -> str:
    return parts[-1].rpartition(".")[0]
