"""Which folders of a level are splits, whatever stands beside them."""

from collections import defaultdict
from dataclasses import replace

from clipfg.data.readers.folder_tree import FolderTree, Level, Node
from clipfg.data.readers.folder_variants import leave_out_variants
from clipfg.data.readers.folder_words import (
    ANSWERS,
    FOLD,
    SETS,
    is_holder,
    split_of,
    splits_among,
    words,
)


def take_splits(level: Level) -> dict[str, str]:
    """Folder to split, or nothing; folders beside splits that are none are left out.

    A folder of another name that holds the same class folders is a split too (`holdout`), and so is
    one of pictures to answer for (`predict`). Classes may be called "train" and "test tube": flat
    folders are splits only where there are hardly others.
    """
    leave_out_variants(level)
    names = [*level.children]
    found = dict(splits_among(names))
    if any(node.split for node in level.nodes):
        folds = all(FOLD.fullmatch(node.split or "") for node in level.nodes)
        return found if folds and len(found) == len(names) else {}  # fold-1/train/
    if level.all_deep and all(FOLD.fullmatch(words(name)) for name in names):
        return {name: _own(name) for name in names}
    if level.all_deep and level.alike(names) and all(words(name) in SETS for name in names):
        return {name: _own(name) for name in names}
    if not found:
        return {}
    below = level.names_below(*found)
    others = [name for name in names if name not in found]
    same = [name for name in others if _shares(level.names_below(name), below)]
    answers = [n for n in others if n not in same and set(words(n).split()) & ANSWERS]
    strangers = [name for name in others if name not in {*same, *answers}]
    if not _fits(level, found, strangers, alike=bool(same)):
        return {}
    level.leave_out(strangers, "beside " + ", ".join(f"{name}/" for name in found))
    named = {name: _own(name) for name in same} | {name: _answer(name) for name in answers}
    return found | named


def hoisted(tree: FolderTree, nodes: list[Node]) -> tuple[Level, str]:
    """The folders in `nodes`, with splits in a wrapper as if they stood beside the others.

    `birds/train/`, `birds/valid/` and `test/` are three splits. Also the wrapper, if there is one.
    """
    level = tree.level(nodes)
    splits = splits_among(level.children)
    for name in sorted(level.deep - splits.keys()) if splits else []:
        inner = [_innermost(tree, node) for node in level.children[name]]
        within = splits_among([n for node in inner for n in tree.children(node.path)])
        if "train" in {*within.values()} - {*splits.values()}:
            wrappers, children = level.children[name], tree.level([*nodes, *inner]).children
            children[name] = [node for node in children[name] if node not in wrappers]
            children = {name: own for name, own in children.items() if own}
            return Level(tree, [*nodes, *inner], children), name
    return level, ""


def _innermost(tree: FolderTree, node: Node) -> Node:
    """What is below wrappers that hold one folder each, and no split."""
    while len(names := tree.children(node.path)) == 1 and not tree.own(node):
        if split_of(names[0]):
            break
        node = replace(node, path=(*node.path, names[0]))
    return node


def placeholders(level: Level) -> set[tuple[str, str | None]]:
    """Folders, with their split, in which it keeps what has no label: `test/unknown/`, `test/0/`.

    A split with a single folder, which none of the others has, where these have several.
    """
    splits: dict[str | None, set[str]] = defaultdict(set)
    for name, nodes in level.children.items():
        for node in nodes:
            splits[node.split].add(name)
    found: set[tuple[str, str | None]] = set()
    for split, (first, *more) in splits.items():
        others = [names for other, names in splits.items() if other != split]
        alone = all(len(names) > 1 and first not in names for names in others)
        if split != "train" and others and alone and not more:
            found.add((first, split))
    return found


def _fits(level: Level, found: dict[str, str], strangers: list[str], *, alike: bool) -> bool:
    """Whether folders that are called like splits are splits, beside strangers."""
    alone = len(set(found.values())) == 1
    if not level.deep & found.keys():
        return not strangers if alone else len(strangers) <= len(found)
    if alike or not alone:
        return True
    return not level.deep & {*strangers} and sum(not is_holder(n) for n in strangers) <= 1


def _shares(own: set[str], names: set[str]) -> bool:
    return bool(own) and 2 * len(own & names) >= len(own)


def _own(name: str) -> str:
    """A folder's own name as that of a split: `Hold out` is "hold-out"."""
    return words(name).replace(" ", "-")


def _answer(name: str) -> str:
    """The word that says why pictures in a folder have no label: `seg_pred` is "pred"."""
    return next(word for word in words(name).split() if word in ANSWERS)
