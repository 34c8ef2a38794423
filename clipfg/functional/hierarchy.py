"""Classes in a tree of groups: answers that name a group, and how far apart two classes are.

A lineage names the groups above a class, nearest first; lineages may differ in length.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]
Shares = NDArray[np.floating]


@dataclass(frozen=True)
class Tree:
    """Nodes over `c` classes: node `i < c` is class `i` itself, the groups follow.

    `nodes` are `m` names, the groups in the order of their first class; `paths` `[c, l]` the nodes
    that contain a class, from itself upwards, and -1 beyond the last; `heights` `[m]` are 0 for a
    class, and for a group the longest path down to a class.
    """

    nodes: tuple[str, ...]
    paths: Indices
    heights: Indices

    @classmethod
    def of(cls, names: Sequence[str], lineages: Sequence[Sequence[str]]) -> "Tree":
        """The tree given by the lineages of `names`."""
        groups = dict.fromkeys(group for lineage in lineages for group in lineage)
        place = {group: len(names) + i for i, group in enumerate(groups)}
        heights = [0] * (len(names) + len(groups))
        paths = []
        for label, (name, lineage) in enumerate(zip(names, lineages, strict=True)):
            # A class that is also a group of others belongs to that group.
            above = [place[group] for group in ([name] if name in place else []) + list(lineage)]
            for height, node in enumerate(above, start=1):
                heights[node] = max(heights[node], height)
            paths.append([label, *above])
        longest = max(map(len, paths))
        padded = [path + [-1] * (longest - len(path)) for path in paths]
        return cls((*names, *groups), np.array(padded), np.array(heights))

    @cached_property
    def sizes(self) -> Indices:
        """The number of classes of each node `[m]`."""
        return np.bincount(self.paths[self.paths >= 0], minlength=len(self.nodes))

    @cached_property
    def groups(self) -> "Tree":
        """The tree without the classes themselves."""
        above = len(self.paths)
        paths = np.maximum(self.paths[:, 1:] - above, -1)
        return Tree(self.nodes[above:], paths, self.heights[above:])

    def shares(self, probabilities: Shares) -> Shares:
        """The probability of every node `[n, m]`: the sum over its classes, of those `[n, c]`."""
        sums = np.zeros((len(probabilities), len(self.nodes)))
        for level in self.paths.T:
            order = np.argsort(level, kind="stable")[(level < 0).sum() :]
            nodes, starts = np.unique(level[order], return_index=True)
            sums[:, nodes] += np.add.reduceat(probabilities[:, order], starts, axis=1, dtype=float)
        return sums

    def roll_up(self, probabilities: Shares, level: float) -> tuple[Indices, Shares]:
        """The narrowest node with probability `level` or more `[n]`, and that probability.

        Of nodes with equally many classes the more likely, then the lower one; -1 and 1 where not
        even a top group reaches the level.

        Source: Deng et al. 2012, "Hedging your bets", with the width of an answer as its cost.
        """
        shares = self.shares(probabilities)
        # rank: fewer classes first, among equals the larger share (which lies between 0 and 1)
        rank = self.sizes - 0.5 * shares + 1e-6 * self.heights
        best = np.where(shares >= level, rank, np.inf).argmin(axis=1)
        share = np.take_along_axis(shares, best[:, None], axis=1)[:, 0]
        reached = share >= level
        return np.where(reached, best, -1), np.where(reached, share, 1.0)

    def distances(self, one: NDArray[Any], other: NDArray[Any]) -> Indices:
        """The height of the lowest common node of two classes `[n]`: 0 if equal, 1 for siblings.

        Classes without a common node meet above the top: one more than the tallest node.

        Source: Deng et al. 2010; Bertinetto et al. 2020, arXiv:1912.09393.
        """
        mine, others = self.paths[one][:, :, None], self.paths[other][:, None, :]
        top = int(self.heights.max()) + 1
        shared = (mine == others) & (mine >= 0)
        heights: Indices = np.where(shared, self.heights[mine], top).min(axis=(1, 2))
        return heights

    @cached_property
    def mean_distances(self) -> Shares:
        """The mean of `distances` `[c]` from each class to all others."""
        count, top = len(self.paths), int(self.heights.max()) + 1
        paths = np.pad(self.paths, ((0, 0), (0, 1)), constant_values=-1)  # above the top all meet
        sizes = np.where(paths < 0, count, self.sizes[paths])
        heights = np.where(paths < 0, top, self.heights[paths])
        return (np.diff(sizes, axis=1) * heights[:, 1:]).sum(axis=1) / (count - 1)
