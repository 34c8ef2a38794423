"""A tree of folders with pictures, and levels of it: folders that stand side by side."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from clipfg.data.readers.folder_words import words
from clipfg.data.readers.walk import Parts

DEEPEST = 64
"""Folders inside one another that are looked into."""


@dataclass(frozen=True)
class Place:
    """What the levels above the classes say of the pictures in a folder."""

    split: str | None = None
    domain: str | None = None
    levels: Parts = ()
    """The folders from that of the class down; none where nothing says the class."""


@dataclass(frozen=True)
class Node:
    """One folder, and what is known above it; `group` is whether it is a year, a site, ..."""

    path: Parts = ()
    split: str | None = None
    domain: str | None = None
    group: bool = False

    def place(self, levels: Parts = ()) -> Place:
        """That of its pictures."""
        return Place(self.split, self.domain, levels)


@dataclass
class FolderTree:
    """Folders, how many pictures lie in each itself, and those that are left out with all below."""

    pictures: Mapping[Parts, int]
    left_out: dict[Parts, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._children: dict[Parts, list[str]] = {}
        self._below: dict[Parts, int] = {}
        for folder, count in self.pictures.items():
            if len(folder) > DEEPEST:
                self.left_out[folder] = f"below more than {DEEPEST} folders"
                continue
            for depth in range(len(folder) + 1):
                above = folder[:depth]
                if depth and above not in self._below:
                    self._children.setdefault(above[:-1], []).append(above[-1])
                self._below[above] = self._below.get(above, 0) + count

    def children(self, path: Parts) -> list[str]:
        """Folders in a folder that have pictures below them, and are not left out."""
        names = self._children.get(path, [])
        return [name for name in names if (*path, name) not in self.left_out]

    def folders(self, path: Parts) -> Iterator[Parts]:
        """A folder and all below it that hold pictures."""
        if path in self.pictures:
            yield path
        for name in self.children(path):
            yield from self.folders((*path, name))

    def names_below(self, nodes: list[Node]) -> set[str]:
        """The names of all folders below some, as words."""
        return {
            words(name)
            for node in nodes
            for folder in self.folders(node.path)
            for name in folder[len(node.path) :]
        }

    def own(self, node: Node) -> int:
        """Pictures in a folder itself, beside folders with others; 0 where there are no others."""
        return self.pictures.get(node.path, 0) if self.children(node.path) else 0

    def below(self, node: Node) -> int:
        """Pictures in all the folders in a folder."""
        return sum(self._below[(*node.path, name)] for name in self.children(node.path))

    def level(self, nodes: list[Node]) -> "Level":
        """The folders in some folders."""
        children: dict[str, list[Node]] = {}
        for node in nodes:
            for name in self.children(node.path):
                child = replace(node, path=(*node.path, name))
                children.setdefault(name, []).append(child)
        return Level(self, nodes, children)


@dataclass
class Level:
    """The folders in several folders, by name: `train/a/` and `test/a/` are read together."""

    tree: FolderTree
    nodes: list[Node]
    """The folders above."""
    children: dict[str, list[Node]]

    def __post_init__(self) -> None:
        self.deep = {name for name in self.children if self._has_folders(name)}
        """Those with folders in them."""

    def _has_folders(self, name: str) -> bool:
        return any(self.tree.children(node.path) for node in self.children[name])

    @property
    def all_deep(self) -> bool:
        """Whether there are several folders, and folders in each."""
        return len(self.children) > 1 and len(self.deep) == len(self.children)

    def leave_out(self, names: list[str], why: str) -> None:
        """Leave out folders of these names, with all below."""
        for name in names:
            for node in self.children.pop(name):
                self.tree.left_out[node.path] = why
            self.deep.discard(name)

    def names_below(self, *names: str) -> set[str]:
        """The names of all folders below those of some names, as words."""
        return self.tree.names_below([node for name in names for node in self.children[name]])

    def share(self) -> set[str]:
        """The names that all these folders have in them, where they have hardly others."""
        sets = [
            {words(name) for node in nodes for name in self.tree.children(node.path)}
            for nodes in self.children.values()
        ]
        shared = set.intersection(*sets)
        return shared if 5 * len(shared) >= 4 * len(set.union(*sets)) else set()

    def alike(self, names: list[str]) -> bool:
        """Whether folders hold folders of the same names, by and large."""
        below = [self.names_below(name) for name in names]
        every = set().union(*below)
        return len(every) > 1 and all(2 * len(one) >= len(every) for one in below)
