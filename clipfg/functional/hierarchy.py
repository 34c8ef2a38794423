"""Classes in a tree of groups: answers that name a group, and how far apart two classes are.

A lineage names the groups above a class, nearest first; lineages may differ in length.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Tree:
    """Nodes over `c` classes: node `i < c` is class `i` itself, the groups follow.

    `nodes` are names, the groups in the order of their first class; `paths` the nodes that contain
    a class, from itself upwards, and -1 beyond the last; `heights` 0 for a class, and for a group
    the longest path down to a class.
    """

    nodes: tuple[str, ...]
    paths: Int[Tensor, "c l"]
    heights: Int[Tensor, " m"]

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
        return cls((*names, *groups), torch.tensor(padded), torch.tensor(heights))

    @cached_property
    def sizes(self) -> Int[Tensor, " m"]:
        """The number of classes of each node."""
        return torch.bincount(self.paths[self.paths >= 0], minlength=len(self.nodes))

    @cached_property
    def groups(self) -> "Tree":
        """The tree without the classes themselves."""
        above = len(self.paths)
        paths = (self.paths[:, 1:] - above).clamp_min(-1)
        return Tree(self.nodes[above:], paths, self.heights[above:])

    def shares(self, probabilities: Float[Tensor, "n c"]) -> Float[Tensor, "n m"]:
        """The probability of every node: the sum over its classes."""
        sums = torch.zeros(len(probabilities), len(self.nodes), dtype=torch.double)
        for level in self.paths.T:
            inside = level >= 0
            sums.index_add_(1, level[inside], probabilities.double()[:, inside])
        return sums

    def roll_up(
        self, probabilities: Float[Tensor, "n c"], level: float
    ) -> tuple[Int[Tensor, " n"], Float[Tensor, " n"]]:
        """The narrowest node with probability `level` or more, and that probability.

        Of nodes with equally many classes the more likely, then the lower one; -1 and 1 where not
        even a top group reaches the level.

        Source: Deng et al. 2012, "Hedging your bets", with the width of an answer as its cost.
        """
        shares = self.shares(probabilities)
        # rank: fewer classes first, among equals the larger share (which lies between 0 and 1)
        rank = self.sizes.double() - 0.5 * shares + 1e-6 * self.heights
        rank = torch.where(shares >= level, rank, torch.inf)
        best = rank.argmin(dim=1)
        reached = rank.gather(1, best[:, None])[:, 0].isfinite()
        share = shares.gather(1, best[:, None])[:, 0]
        return torch.where(reached, best, -1), torch.where(reached, share, 1.0)

    def distances(self, one: Int[Tensor, " n"], other: Int[Tensor, " n"]) -> Int[Tensor, " n"]:
        """The height of the lowest common node of two classes: 0 if equal, 1 for siblings.

        Classes without a common node meet above the top: one more than the tallest node.

        Source: Deng et al. 2010; Bertinetto et al. 2020, arXiv:1912.09393.
        """
        mine, others = self.paths[one][:, :, None], self.paths[other][:, None, :]
        top = int(self.heights.max()) + 1
        shared = (mine == others) & (mine >= 0)
        heights = torch.where(shared, self.heights[mine.clamp_min(0)], top)
        return heights.flatten(start_dim=1).amin(dim=1)
