"""The result of fine-tuning: measures of the base, of the best of training, of what is kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from clipfg.types import Estimate


@dataclass(frozen=True)
class TuningRow:
    """One measure on test images.

    `change` is `kept` less `base`, with the interval of the paired difference. `n` are the images,
    captions or contests that it is a mean over; `chance` is what random scores would give, None
    where that says little.
    """

    measure: str
    n: int
    base: Estimate
    tuned: Estimate
    kept: Estimate
    change: Estimate
    chance: float | None = None


@dataclass(frozen=True)
class BlendPoint:
    """What validation measured at one blend of the base's weights with the tuned ones.

    `share` of the tuned weights is from 0 to 1; `objective` is what training was to raise,
    `zero_shot` the accuracy on classes, None without classes.
    """

    share: float
    objective: float
    zero_shot: float | None


@dataclass(frozen=True)
class TuningReport:
    """What was run, and what came of it.

    `losses` are means over one or several steps, which `step` is the middle of; `checks` the steps
    done and what validation gave then; `blend` is the curve between base and tuned weights, `share`
    the point on it that was kept: 0 keeps the base. `context` says what was run, `recipe` holds its
    numbers, `remarks` what else a reader must know, a sentence each; `diverged` says whether
    training ended at a loss that was not finite.
    """

    SCHEMA: ClassVar[int] = 1
    KIND: ClassVar[str] = "tuning"

    table: tuple[TuningRow, ...]
    blend: tuple[BlendPoint, ...]
    share: float
    objective: str
    checks: tuple[tuple[int, float], ...]
    losses: tuple[Mapping[str, float], ...]
    context: Mapping[str, str]
    recipe: Mapping[str, Any]
    remarks: tuple[str, ...] = ()
    diverged: bool = False

    @property
    def n(self) -> int:
        """What the first measure is a mean over."""
        return self.table[0].n

    @property
    def verdict(self) -> str:
        """What was kept, in a sentence."""
        if self.share == 0:
            return (
                "Training did not surely improve validation: the base is kept, and the checkpoint"
                " is a copy of it."
            )
        if self.share == 1:
            return "The tuned weights are kept as they are."
        return (
            f"Kept: {self.share:.0%} of the way from the base to the tuned weights, chosen on"
            " validation images."
        )

    def rows(self) -> list[dict[str, Any]]:
        """A row for each measure."""
        return [
            {
                "measure": row.measure,
                "n": row.n,
                "base": row.base.value,
                "tuned": row.tuned.value,
                "kept": row.kept.value,
                "change": row.change.value,
                "low": row.change.low,
                "high": row.change.high,
                "chance": row.chance,
            }
            for row in self.table
        ]
