"""Classes under a tree of groups: answers that climb it, and how far apart two classes are.

A lineage names the groups above a class, nearest first; lineages may differ in length.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Tree:
    """Nodes over `c` classes: node `i < c` is class `i` itself, the groups follow.

    Attributes
    ----------
    nodes
        Names, classes first, then groups in the order of their first class.
    members
        `[m, c]`: whether a class belongs to a node.
    heights
        Of each node: 0 for a class, else the longest way down to a class.
    """

    nodes: tuple[str, ...]
    members: Bool[Tensor, "m c"]
    heights: Int[Tensor, " m"]

    @classmethod
    def of(cls, names: Sequence[str], lineages: Sequence[Sequence[str]]) -> "Tree":
        """The tree that the lineages of `names` tell."""
        groups = dict.fromkeys(group for lineage in lineages for group in lineage)
        place = {group: len(names) + i for i, group in enumerate(groups)}
        members = torch.eye(len(names) + len(groups), len(names), dtype=torch.bool)
        heights = [0] * len(members)
        for label, (name, lineage) in enumerate(zip(names, lineages, strict=True)):
            if name in place:  # a class that is a group of others too belongs to it
                members[place[name], label] = True
            for height, group in enumerate(lineage, start=1):
                members[place[group], label] = True
                heights[place[group]] = max(heights[place[group]], height)
        return cls((*names, *groups), members, torch.tensor(heights))

    @cached_property
    def sizes(self) -> Int[Tensor, " m"]:
        """Classes of each node."""
        return self.members.sum(dim=1)

    def shares(self, probabilities: Float[Tensor, "n c"]) -> Float[Tensor, "n m"]:
        """The probability of every node: the sum over its classes."""
        return probabilities.double() @ self.members.T.double()

    def roll_up(
        self, probabilities: Float[Tensor, "n c"], level: float
    ) -> tuple[Int[Tensor, " n"], Float[Tensor, " n"]]:
        """The narrowest node with probability `level` or more, and that probability.

        Of nodes with equally many classes the likelier, then the lower one; -1 and 1 where not
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
        """The height of the lowest node above both classes: 0 for equal ones, 1 for siblings.

        Classes with nothing in common meet above the top: one more than the tallest node.

        Source: Deng et al. 2010; Bertinetto et al. 2020, arXiv:1912.09393.
        """
        top = int(self.heights.max()) + 1
        both = self.members.T[one] & self.members.T[other]
        return torch.where(both, self.heights, top).amin(dim=1)
