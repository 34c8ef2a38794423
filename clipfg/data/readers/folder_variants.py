"""Folders side by side with the same classes in each: sources of pictures, their forms, copies."""

from clipfg.data.readers.folder_tree import Level
from clipfg.data.readers.folder_words import (
    DOMAINS,
    SPLIT_VARIANTS,
    VARIANTS,
    is_beside,
    says_little,
    split_of,
    splits_among,
    words,
)
from clipfg.errors import DataError

MANY = 3
"""So many names, the same in all folders, are classes, and the folders their sources."""


def are_domains(level: Level) -> bool:
    """Whether the folders are kinds or sources of pictures, with the same classes in each."""
    if not level.all_deep:
        return False
    names = [*level.children]
    known = all(words(name) in DOMAINS for name in names) and level.alike(names)
    return known or len(shared_classes(level)) >= MANY


def shared_classes(level: Level) -> list[str]:
    """The names below all folders that may be classes: no splits, masks or traits."""
    return sorted(n for n in level.share() if not (split_of(n) or is_beside(n) or says_little(n)))


def refuse_variants(level: Level) -> None:
    """Raise `DataError` for folders that hold the same pictures in several forms."""
    named = [name for name in level.children if words(name) in VARIANTS]
    if len(named) > 1 and level.deep >= {*named} and level.alike(named):
        shown = ", ".join(f"{name}/" for name in named)
        raise DataError(
            f"Expected one form of each picture, got {shown} with the same classes in each;"
            f" name one of them as the data, such as"
            f" {'/'.join(level.children[named[0]][0].path)}."
        )


def leave_out_variants(level: Level) -> None:
    """Leave out other forms of splits that stand beside them: `train_augmented/`, `val_crops/`.

    Also `augmented/` or `raw/` beside splits, with the same classes in it. Raises `DataError` where
    a split is there in several forms alone: `train_color/` and `train_gray/`.
    """
    splits = splits_among(level.children)
    other = {name for name in level.children if {*words(name).split()} & SPLIT_VARIANTS}
    plain = {splits[name] for name in splits.keys() - other}
    for name in sorted(other & level.deep):
        told = split_of(name)
        of_all = words(name) in VARIANTS and len(plain) > 1
        if (told[0] in plain if told else of_all) and _holds_their_classes(level, name, other):
            level.leave_out([name], "another form of pictures beside it")
    for split in {*splits.values()} - plain:
        forms = sorted(name for name, own in splits.items() if own == split and name in level.deep)
        if len(forms) > 1 and level.alike(forms):
            raise DataError(
                f"Expected one form of each picture, got {'/, '.join(forms)}/ with the same classes"
                " in each; put one form of each split into a folder of its own, and name that."
            )


def _holds_their_classes(level: Level, name: str, other: set[str]) -> bool:
    rest = [one for one in level.deep if one not in other and split_of(one)]
    own, theirs = level.names_below(name), level.names_below(*rest)
    return bool(theirs) and 2 * len(own & theirs) >= len(own)


def leave_out_again(level: Level) -> None:
    """Leave out a folder with all the classes that stand beside it: `data/` and its copy."""
    for name in [*level.deep]:
        below, others = level.names_below(name), len(level.children) - 1
        if not 1 < others <= len(below) <= others + 1:
            continue
        if {words(other) for other in level.children if other != name} <= below:
            level.leave_out([name], "the same folders again")
            return
