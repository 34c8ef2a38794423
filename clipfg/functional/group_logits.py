"""One answer for several pictures of one thing: their logits as one row."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipfg.errors import DataError

RULES = ("mean-logits", "mean-probabilities", "surest")
"""The mean of logits (a product of probabilities), that of probabilities, or the logits of the
picture whose likeliest class is most probable; of equally good rules the earlier is taken."""


class GroupLogits:
    """Logits of `groups` groups by one of `RULES`, from those of pictures as they come.

    Logits should be calibrated: only then are pictures weighted by what they can tell. Raises
    `DataError` for an unknown rule.
    """

    def __init__(self, rule: str, groups: int, classes: int) -> None:
        if rule not in RULES:
            raise DataError(f"Expected one of the rules {', '.join(RULES)}, got {rule!r}.")
        self.rule = rule
        self.counts = torch.zeros(groups, dtype=torch.long)
        self._held = torch.zeros(groups, classes, dtype=torch.double)
        self._surest = torch.full((groups,), -1.0)

    def add(self, logits: Float[Tensor, "b c"], group: Int[Tensor, " b"]) -> None:
        """Take in pictures of the groups with these numbers."""
        logits, group = logits.detach().cpu().double(), group.cpu()
        self.counts += torch.bincount(group, minlength=len(self.counts))
        if self.rule == "mean-logits":
            self._held.index_add_(0, group, logits)
        elif self.rule == "mean-probabilities":
            self._held.index_add_(0, group, logits.softmax(dim=1))
        else:
            sureness = logits.softmax(dim=1).amax(dim=1).float()
            for row, number in enumerate(group.tolist()):
                if sureness[row] > self._surest[number]:
                    self._surest[number], self._held[number] = sureness[row], logits[row]

    @property
    def logits(self) -> Float[Tensor, "g c"]:
        """A row for each group; zeros for one without pictures."""
        if self.rule == "surest":
            return self._held.float()
        means = self._held / self.counts.clamp_min(1)[:, None]
        if self.rule == "mean-logits":
            return means.float()
        # Where no picture leaves a class any probability, float32's least stands in for log 0.
        return means.clamp_min(torch.finfo(torch.float32).tiny).log().float()


def group_logits(
    logits: Float[Tensor, "n c"], group: Int[Tensor, " n"], rule: str
) -> Float[Tensor, "g c"]:
    """All at once: a row for each group, which are numbered from 0."""
    pooled = GroupLogits(rule, int(group.max()) + 1, logits.shape[1])
    pooled.add(logits, group)
    return pooled.logits
