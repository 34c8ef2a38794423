"""What each level of a tree of folders is: wrapper, split, group, or that of the classes.

Levels are read from the top. Splits are read together, so that what is a class in `train/` is one
in `test/`. Every folder with pictures gets a `Place`, or is left out for a reason.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from clipfg.data.readers.folder_words import (
    ANSWERS,
    DOMAINS,
    FOLD,
    UNSORTED,
    VARIANTS,
    is_beside,
    is_group,
    is_holder,
    is_part,
    split_of,
    splits_among,
    words,
)
from clipfg.data.readers.walk import Parts, in_order
from clipfg.errors import DataError

FEW = 3, 0.1
"""Pictures that are strays beside folders of classes: so many, or this share of those below."""


@dataclass(frozen=True)
class Place:
    """What the levels above the classes say of the pictures in a folder."""

    split: str | None = None
    domain: str | None = None
    levels: Parts = ()
    """The folders from that of the class down; none where nothing says the class."""


@dataclass(frozen=True)
class _Node:
    """One folder, and what is known above it."""

    path: Parts
    split: str | None = None
    domain: str | None = None
    group: bool = False

    def place(self, levels: Parts = ()) -> Place:
        return Place(self.split, self.domain, levels)


@dataclass
class Levels:
    """A tree of folders, read level by level."""

    pictures: Mapping[Parts, int]
    """How many pictures lie in each folder itself."""
    is_class: Callable[[Sequence[str]], bool] = lambda _: False
    """Whether these folders are those of given classes."""
    places: dict[Parts, Place] = field(default_factory=dict)
    left_out: dict[Parts, str] = field(default_factory=dict)
    """Folders that are not used, with all below, and why."""
    strays: dict[Parts, str] = field(default_factory=dict)
    """Folders whose own pictures are not used, and why."""
    roles: dict[str, list[str]] = field(default_factory=dict)
    """Meaning ("split", "wrapper", "group") to the folders that have it."""
    doubts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._children: dict[Parts, list[str]] = {}
        self._below: dict[Parts, int] = {}
        for folder, count in self.pictures.items():
            for depth in range(len(folder) + 1):
                above = folder[:depth]
                if depth < len(folder) and (*above, folder[depth]) not in self._below:
                    self._children.setdefault(above, []).append(folder[depth])
                self._below[above] = self._below.get(above, 0) + count
        self._read([_Node(())])

    # The tree

    def children(self, path: Parts) -> list[str]:
        """Folders in a folder that have pictures below them, and are not left out."""
        names = self._children.get(path, [])
        return [name for name in names if (*path, name) not in self.left_out]

    def _folders(self, path: Parts) -> Iterator[Parts]:
        """A folder and all below it that hold pictures, without those that are left out."""
        if path in self.pictures:
            yield path
        for name in self.children(path):
            yield from self._folders((*path, name))

    def _names_below(self, path: Parts) -> set[str]:
        """The names of all folders below one."""
        return {words(name) for folder in self._folders(path) for name in folder[len(path) :]}

    # The levels

    def _read(self, nodes: list[_Node]) -> None:
        """Decide what the folders in `nodes`, which stand side by side, are."""
        for node in nodes:
            self._leave_out_beside(node)
        nodes = [self._unwrapped(node) for node in nodes]
        children: dict[str, list[_Node]] = {}
        for node in nodes:
            for name in self.children(node.path):
                below = replace(node, path=(*node.path, name))
                children.setdefault(name, []).append(below)
        deep = {n for n, ns in children.items() if any(self.children(one.path) for one in ns)}
        if splits := self._splits(children, deep):
            self._strays(nodes, f"beside {', '.join(f'{name}/' for name in splits)}")
            self._note("split", splits)
            self._read(
                [
                    replace(one, split=one.split or split)
                    for name, split in splits.items()
                    for one in children[name]
                ]
            )
        elif self.is_class([*children]):
            self._classes(nodes, children)
        elif wrappers := self._wrappers(children, deep):
            self._strays(nodes, "beside the folder of pictures")
            self._note("wrapper", wrappers)
            self._read([one for name in wrappers for one in children[name]])
        elif groups := self._groups(nodes, children, deep):
            self._strays(nodes, "beside the folders of pictures")
            self._read(groups)
        else:
            self._classes(nodes, children)

    def _leave_out_beside(self, node: _Node) -> None:
        """Leave out masks, runs and the like, where other folders or pictures are there to read."""
        names = self.children(node.path)
        made = [name for name in names if is_beside(name)]
        if len(made) < len(names) or self.pictures.get(node.path):
            for name in made:
                self._leave_out((*node.path, name), "a folder word, no class")

    def _unwrapped(self, node: _Node) -> _Node:
        """The folder below wrappers of its own: `val/images/`, `seg_train/seg_train/`."""
        while len(names := self.children(node.path)) == 1 and not self.pictures.get(node.path):
            alike = bool(node.path) and words(names[0]) == words(node.path[-1])
            if not (is_holder(names[0]) or (alike and node.split)):
                break
            self._note("wrapper", names)
            node = replace(node, path=(*node.path, names[0]))
        return node

    def _splits(self, children: Mapping[str, list[_Node]], deep: set[str]) -> dict[str, str]:
        """The folders that are splits, with their names; folders that are none are left out."""
        found = dict(splits_among(children))
        others = [name for name in children if name not in found]
        if not found or any(one.split for nodes in children.values() for one in nodes):
            return {}
        alone = len(set(found.values())) == 1
        own = {n for name in found for one in children[name] for n in self._names_below(one.path)}
        alike = [name for name in others if self._shares(children[name], own)]
        rest = [name for name in others if name not in alike]
        answers = [name for name in rest if set(words(name).split()) & (ANSWERS | UNSORTED)]
        strangers = [name for name in rest if name not in answers]
        if deep & found.keys():
            fits = alike or not alone or len([n for n in strangers if not is_holder(n)]) <= 1
            fits = fits and not (alone and not alike and set(strangers) & deep)
        else:  # flat: classes may be called "train" and "test tube"
            fits = not strangers if alone else len(strangers) <= len(found)
        if not fits:
            return {}
        for name in strangers:
            for one in children[name]:
                self._leave_out(one.path, "beside " + ", ".join(f"{n}/" for n in found))
        named = {name: _own(name) for name in alike} | {name: _word(name) for name in answers}
        return found | named

    def _shares(self, nodes: list[_Node], names: set[str]) -> bool:
        """Whether at least half of the folders below are called as those of `names`."""
        own = {n for one in nodes for n in self._names_below(one.path)}
        return bool(own) and 2 * len(own & names) >= len(own)

    def _wrappers(self, children: dict[str, list[_Node]], deep: set[str]) -> list[str]:
        """The folders that only hold what counts; strangers beside them, or they, are left out."""
        if len(children) == 1:
            (name,) = children
            return [name] if name in deep or is_holder(name) else []
        if self._domains(children, deep):
            return []
        holders = [name for name in children if is_holder(name) or is_part(name)]
        if len(holders) == len(children):
            self._refuse_variants(children, deep)
            return holders
        strangers = [name for name in children if name not in holders]
        held = deep & {*holders}
        if not held and len(strangers) > 1:
            for name in holders:
                for one in children.pop(name):
                    self._leave_out(one.path, "a folder word, no class")
            return []
        if not holders or set(strangers) & deep:
            return []
        for name in strangers:
            for one in children[name]:
                self._leave_out(one.path, "beside " + ", ".join(f"{n}/" for n in holders))
        return holders

    def _domains(self, children: Mapping[str, list[_Node]], deep: set[str]) -> bool:
        named = len(children) > 1 and {*children} == deep
        return named and all(words(name) in DOMAINS for name in children) and self._same(children)

    def _same(self, children: Mapping[str, list[_Node]]) -> bool:
        """Whether all folders have folders of the same names, by and large."""
        sets = [{n for one in ns for n in self._names_below(one.path)} for ns in children.values()]
        every = set.union(*sets)
        return all(2 * len(names) >= len(every) for names in sets) and len(every) > 1

    def _refuse_variants(self, children: Mapping[str, list[_Node]], deep: set[str]) -> None:
        """Raise `DataError` for folders that hold the same pictures in several forms."""
        named = [name for name in children if words(name) in VARIANTS]
        if len(named) > 1 and {*named} <= deep and self._same({n: children[n] for n in named}):
            shown = ", ".join(f"{name}/" for name in named)
            raise DataError(
                f"Expected one form of each picture, got {shown} with the same classes in each;"
                f" name one of them as the data, such as {'/'.join(children[named[0]][0].path)}."
            )

    def _groups(
        self, nodes: list[_Node], children: Mapping[str, list[_Node]], deep: set[str]
    ) -> list[_Node]:
        """The folders below where all are years, sites, folds or domains; else none."""
        below = [(name, one) for name, ones in children.items() for one in ones]
        if not below:
            return []
        if self._domains(children, deep):
            self._note("domain", children)
            return [replace(one, domain=words(name)) for name, one in below]
        self._refuse_variants(children, deep)
        if (
            len(children) > 1
            and {*children} == deep
            and all(FOLD.fullmatch(words(n)) for n in children)
        ):
            self._note("split", children)
            return [
                replace(one, split=one.split or words(name).replace(" ", "-"))
                for name, one in below
            ]
        again = all(node.group for node in nodes)
        if not all(is_group(name) or (again and name.isdecimal()) for name in children):
            return []
        if len(children) == 1 and not deep and not again:
            return []
        self._note("group", children)
        if not deep and not again:
            shown = ", ".join([*children][:3])
            self.doubts.append(
                f"Folders such as {shown} were taken for groups of pictures, not for classes;"
                f" --label-level {len(nodes[0].path) + 1} makes them classes."
            )
        return [replace(one, group=True) for _, one in below]

    # What is decided

    def _classes(self, nodes: list[_Node], children: Mapping[str, list[_Node]]) -> None:
        """These folders' own folders are the classes, where there are several or they are given."""
        single = len(children) == 1 and not self.is_class([*children])
        if not children or single or self._heap(nodes, children):
            for node in nodes:
                for folder in self._folders(node.path):
                    self.places[folder] = node.place()
            return
        self._strays(nodes, "beside the folders of the classes")
        for name, ones in children.items():
            for one in ones:
                for folder in self._folders(one.path):
                    known = () if words(name) in UNSORTED else folder[len(one.path) - 1 :]
                    self.places[folder] = one.place(known)
        if unsorted := [name for name in children if words(name) in UNSORTED]:
            self._note("unlabelled", unsorted)

    def _heap(self, nodes: list[_Node], children: Mapping[str, list[_Node]]) -> bool:
        """Whether too many pictures lie beside the folders for these to be classes."""
        beside = [node for node in nodes if self._pictures_beside(node)]
        if not any(self._many(node) for node in beside):
            return False
        count = sum(self.pictures[node.path] for node in beside)
        names = ", ".join(in_order((name,) for name in children)[0][:1])
        self.doubts.append(
            f"{count} pictures lie beside folders ({names}, ...), so that these were not taken for"
            f" classes; --label-level {len(nodes[0].path) + 1} makes them classes."
        )
        return True

    def _strays(self, nodes: list[_Node], why: str) -> None:
        """Leave out the few pictures beside folders; many of them are kept, without a class."""
        for node in nodes:
            if not self.children(node.path) or (self._pictures_beside(node) and self._many(node)):
                if self.pictures.get(node.path):
                    self.places[node.path] = node.place()
            elif self._pictures_beside(node):
                self.strays[node.path] = why

    def _pictures_beside(self, node: _Node) -> int:
        return self.pictures.get(node.path, 0) if self.children(node.path) else 0

    def _many(self, node: _Node) -> bool:
        count = self.pictures[node.path]
        below = sum(self._below[(*node.path, name)] for name in self.children(node.path))
        least, share = FEW
        return count > max(least, share * below) or count >= below

    def _leave_out(self, path: Parts, why: str) -> None:
        self.left_out[path] = why

    def _note(self, meaning: str, names: Iterable[str]) -> None:
        known = self.roles.setdefault(meaning, [])
        known += [name for name in names if name not in known]


def _own(name: str) -> str:
    """A folder's own name as that of a split: `Hold out` is "hold-out"."""
    return words(name).replace(" ", "-")


def _word(name: str) -> str:
    """The word that says why pictures in a folder have no label: `seg_pred` is "pred"."""
    return next((word for word in words(name).split() if word in ANSWERS | UNSORTED), _own(name))


def at_level(pictures: Iterable[Parts], level: int) -> dict[Parts, Place]:
    """Places of folders where the class is the `level`-th of them; 0 is for no class."""
    places = {}
    for folder in pictures:
        others = [name for depth, name in enumerate(folder, 1) if depth != level]
        splits = (found[0] for name in others if (found := split_of(name)) and not found[1])
        levels = folder[level - 1 : level] if level else ()
        places[folder] = Place(next(splits, None), None, levels)
    return places
