"""What each level of a tree of folders is: wrapper, split, group, or that of the classes.

Levels are read from the top. Splits are read together, so that what is a class in `train/` is one
in `test/`. Every folder with pictures gets a `Place`, or is left out for a reason.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from clipfg.data.readers.folder_splits import hoisted, placeholders, take_splits
from clipfg.data.readers.folder_tree import FolderTree, Level, Node, Place
from clipfg.data.readers.folder_variants import (
    are_domains,
    leave_out_again,
    refuse_variants,
    shared_classes,
)
from clipfg.data.readers.folder_words import (
    BUCKET,
    DOMAINS,
    FOLD,
    UNSORTED,
    WELL,
    is_beside,
    is_beside_of,
    is_group,
    is_holder,
    is_part,
    split_of,
    words,
)
from clipfg.data.readers.walk import Parts

FEW = 3, 0.1
"""Pictures that are strays beside folders of classes: so many, or this share of those below."""

HEAP = 0.5
"""As many pictures beside folders, as a share of those below, make the folders no classes."""

NO_CLASS = "a folder word, no class"


@dataclass
class Levels:
    """A tree of folders, read level by level.

    `is_class` is whether folders are those of given classes.
    """

    tree: FolderTree
    is_class: Callable[[Sequence[str]], bool] = lambda _: False
    places: dict[Parts, Place] = field(default_factory=dict)
    strays: dict[Parts, str] = field(default_factory=dict)
    """Folders whose own pictures are not used, and why."""
    roles: dict[str, list[str]] = field(default_factory=dict)
    """Meaning ("split", "wrapper", "group") to the folders that have it."""
    doubts: list[str] = field(default_factory=list)
    alone: tuple[str, int] | None = None
    """A folder that may be a class, but for others beside it, and its level."""

    def __post_init__(self) -> None:
        self._read([Node()])

    def _read(self, nodes: list[Node]) -> None:
        """Decide what the folders in `nodes`, which stand side by side, are."""
        for node in nodes:
            self._leave_out_beside(node)
        nodes = [one for node in nodes for one in self._unwrapped(node)]
        for node in nodes:
            self._leave_out_beside(node)
        level, wrapper = hoisted(self.tree, nodes)
        if wrapper:
            self._note("wrapper", [wrapper])
        if splits := take_splits(level):
            self._note("split", splits)
            below = [(split, n) for name, split in splits.items() for n in level.children[name]]
            self._descend(level, [replace(node, split=split) for split, node in below])
            return
        self._take_unsorted(level)
        if self.is_class([*level.children]):
            self._classes(level)
        elif wrappers := self._wrappers(level):
            self._note("wrapper", wrappers)
            self._descend(level, [node for name in wrappers for node in level.children[name]])
        elif groups := self._groups(level):
            self._descend(level, groups)
        else:
            self._classes(level)

    def _descend(self, level: Level, nodes: list[Node]) -> None:
        self._strays(level, "beside " + ", ".join(f"{name}/" for name in [*level.children][:3]))
        self._read(nodes)

    def _leave_out_beside(self, node: Node) -> None:
        """Leave out masks, runs and the like, where other folders or pictures are there to read."""
        names = self.tree.children(node.path)
        own = {*map(words, names)}
        made = [n for n in names if is_beside(n) or is_beside_of(n, own)]
        made = [name for name in made if not self.is_class([name])]
        if len(made) < len(names) or self.tree.own(node):
            self.tree.left_out |= {(*node.path, name): NO_CLASS for name in made}

    def _take_unsorted(self, level: Level) -> None:
        """Pictures in folders for those without a label, where other folders are there to read."""
        names = [name for name in level.children if words(name) in UNSORTED]
        if not names or self.is_class(names):
            return
        self._note("unlabelled", names)
        for name in names:
            for node in level.children.pop(name):
                self.places |= dict.fromkeys(self.tree.folders(node.path), node.place())
            level.deep.discard(name)

    def _unwrapped(self, node: Node) -> list[Node]:
        """What is below wrappers of a split: `val/images/`, `train/train/`, `train/fold1/`."""
        while len(names := self.tree.children(node.path)) == 1 and not self.tree.own(node):
            alike = bool(node.path) and words(names[0]) == words(node.path[-1])
            if not (is_holder(names[0]) or (alike and node.split)):
                break
            self._note("wrapper", names)
            node = replace(node, path=(*node.path, names[0]))
        level = self.tree.level([node])
        pieces = all(is_group(name) or FOLD.fullmatch(words(name)) for name in names)
        if not (node.split and level.all_deep and pieces):
            return [node]
        self._note("group", names)
        return [replace(one, group=True) for ones in level.children.values() for one in ones]

    def _wrappers(self, level: Level) -> list[str]:
        """The folders that only hold what counts; strangers beside them, or they, are left out."""
        names = [*level.children]
        if len(names) == 1:
            return names if level.deep or is_holder(names[0]) else []
        if not names or are_domains(level):
            return []
        if len(held := [name for name in level.deep if is_holder(name)]) == 1:
            flat = [name for name in names if is_holder(name) and name not in level.deep]
            level.leave_out(flat, f"beside {held[0]}/")
        names = [*level.children]
        kinds = {name for name in names if words(name) in DOMAINS}
        kinds = kinds if len(kinds) > 1 else set()  # photo/ beside painting/ is a class
        holders = [n for n in names if (is_holder(n) or is_part(n)) and n not in kinds]
        strangers = [name for name in names if name not in holders]
        if not strangers:
            refuse_variants(level)
            return holders
        if not level.deep & {*holders} and len(strangers) > 1:
            level.leave_out(holders, NO_CLASS)
            return []
        if not holders or level.deep & {*strangers}:
            return []
        level.leave_out(strangers, "beside " + ", ".join(f"{name}/" for name in holders))
        return holders

    def _groups(self, level: Level) -> list[Node]:
        """The folders below where all are years, sites or domains; else none."""
        below = [(name, node) for name, nodes in level.children.items() for node in nodes]
        if not below:
            return []
        refuse_variants(level)
        if are_domains(level) and not all(map(is_group, level.children)):
            self._note("domain", level.children)
            if not all(words(name) in DOMAINS for name in level.children):
                self._doubt_domains(level)
            return [replace(node, domain=words(name)) for name, node in below]
        again = all(node.group for node in level.nodes)
        pieces = [n for n in level.children if BUCKET.fullmatch(n) or WELL.fullmatch(n)]
        if not all(is_group(n) or (again and n in pieces) for n in level.children):
            return self._buckets(level)
        if len(level.children) == 1 and not level.deep and not again:
            return []
        self._note("group", level.children)
        if not level.deep and not again:
            self._doubt_groups(level)
        return [replace(node, group=True) for _, node in below]

    def _buckets(self, level: Level) -> list[Node]:
        """Folders that spread pictures evenly, `0/3/f/`, on two levels or more."""
        nodes = [node for nodes in level.children.values() for node in nodes]
        below = [name for node in nodes for name in self.tree.children(node.path)]
        if not level.all_deep or not all(map(BUCKET.fullmatch, [*level.children, *below])):
            return []
        self._note("group", level.children)
        self._doubt_groups(level)
        return [replace(node, group=True) for node in nodes]

    def _doubt_domains(self, level: Level) -> None:
        first, *_ = level.children
        depth = len(level.nodes[0].path) + 1
        self.doubts.append(
            f"The same names ({', '.join(shared_classes(level)[:3])}, ...) are in every folder such"
            f" as {first}/, and were taken for the classes; --label-level {depth} takes {first}."
        )

    def _doubt_groups(self, level: Level) -> None:
        shown = ", ".join([*level.children][:3])
        self.doubts.append(
            f"Folders such as {shown} were taken for groups of pictures, not for classes;"
            f" --label-level {len(level.nodes[0].path) + 1} makes them classes."
        )

    # What is decided

    def _classes(self, level: Level) -> None:
        """These folders are the classes, where there are several or they are given."""
        leave_out_again(level)
        names = [*level.children]
        alone = len(names) == 1 and not self._only_labelled(level)
        if not names or alone or self._heap(level):
            if alone and not level.deep and not is_group(names[0]):
                self.alone = (names[0], len(level.nodes[0].path) + 1)
            for node in level.nodes:
                for folder in self.tree.folders(node.path):
                    self.places.setdefault(folder, node.place())
            return
        self._strays(level, "beside the folders of the classes")
        unlabelled = set() if self.is_class([*level.children]) else placeholders(level)
        if unlabelled:
            self._note("unlabelled", sorted(name for name, _ in unlabelled))
        for name, nodes in level.children.items():
            for node in nodes:
                for folder in self.tree.folders(node.path):
                    below = folder[len(node.path) - 1 :]
                    named = (name, node.split) not in unlabelled
                    self.places[folder] = node.place(below) if named else node.place()

    def _only_labelled(self, level: Level) -> bool:
        """Whether one folder is a class: it is a given one, or others are said to have none."""
        return bool(level.children) and (
            self.is_class([*level.children]) or "unlabelled" in self.roles
        )

    def _heap(self, level: Level) -> bool:
        """Whether too many pictures lie beside the folders for these to be classes."""
        heaped = [n for n in level.nodes if self.tree.own(n) >= HEAP * self.tree.below(n)]
        count = sum(map(self.tree.own, heaped))
        if not count or (count <= FEW[0] and count < sum(map(self.tree.below, heaped))):
            return False
        first, depth = next(iter(level.children)), len(level.nodes[0].path) + 1
        self.doubts.append(
            f"{count:,} pictures lie beside folders such as {first}/, so that these were not taken"
            f" for classes; --label-level {depth} makes them classes."
        )
        return True

    def _strays(self, level: Level, why: str) -> None:
        """Leave out the few pictures beside folders; many of them are kept, without a class."""
        for node in level.nodes:
            own, below = self.tree.own(node), self.tree.below(node)
            if not own and not self.tree.pictures.get(node.path):
                continue
            if own and own <= max(FEW[0], FEW[1] * below) and own < below:
                self.strays[node.path] = why
            else:
                self.places[node.path] = node.place()

    def _note(self, meaning: str, names: Iterable[str]) -> None:
        known = self.roles.setdefault(meaning, [])
        known += [name for name in names if name not in known]


def at_level(pictures: Iterable[Parts], level: int) -> dict[Parts, Place]:
    """Places of folders where the class is the `level`-th of them; 0 is for no class."""
    places = {}
    for folder in pictures:
        others = [name for depth, name in enumerate(folder, 1) if depth != level]
        splits = (found[0] for name in others if (found := split_of(name)) and not found[1])
        levels = folder[level - 1 : level] if level else ()
        places[folder] = Place(next(splits, None), None, levels)
    return places
