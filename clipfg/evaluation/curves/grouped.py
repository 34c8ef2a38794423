"""The figure by groups beside the figure by pictures, which is too good."""

from dataclasses import dataclass

from clipfg.pages.formats import bounds, percent
from clipfg.types import Estimate


@dataclass(frozen=True)
class GroupedFigures:
    """One classifier, called `what`, with groups kept whole and with groups taken apart.

    `groups` were tested, grouped `by` what `--group-by` says. `by_pictures` is what the same
    command measures without it. `answers` is the accuracy of one answer for each group of one
    label, by `rule`; None where that was not measured.
    """

    what: str
    by: str
    groups: int
    by_groups: Estimate
    by_pictures: Estimate
    answers: Estimate | None = None
    rule: str = ""

    @property
    def note(self) -> str:
        """Both figures in a sentence."""
        said = (
            f"{self.what}: {percent(self.by_pictures.value)} by pictures,"
            f" {percent(self.by_groups.value)} ({bounds(self.by_groups)}) by groups (--group-by"
            f" {self.by}, {self.groups:,} tested). By pictures, one group may be learnt from and"
            " tested on. Intervals are over groups."
        )
        if self.answers is None:
            return said
        return (
            f"{said} One answer for each group ({self.rule}): {percent(self.answers.value)}"
            f" ({bounds(self.answers)})."
        )
