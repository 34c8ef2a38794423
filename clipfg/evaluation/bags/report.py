"""What classifiers of bags score, side by side."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from clipfg.evaluation.statistics.columns import accuracy_columns, difference_columns
from clipfg.evaluation.statistics.repeated import Difference
from clipfg.types import Estimate

NOTES = (
    "95% intervals cover both the bags and the seeds. AUC is the mean over classes of each against"
    " the rest (DeLong's interval). Differences are paired, on the same bags and seeds; p values"
    " are of single tests: of many, some fall below 0.05 by chance.",
    "Scores of instances order the instances of a bag; they are no probabilities.",
)


@dataclass(frozen=True)
class BagCell:
    """One head: accuracy and AUC on bags over all seeds, `by_seed` the accuracy of each.

    `seconds` are those of one fit, the choice of epochs included; `against` and `auc_against` are
    differences from the first head, None for the first itself.
    """

    head: str
    top1: Estimate
    auc: Estimate
    by_seed: tuple[float, ...]
    seconds: float
    against: Difference | None = None
    auc_against: Difference | None = None


@dataclass(frozen=True)
class BagReport:
    """Heads on `n` bags of `instances` in all and `classes` classes.

    `estimated` says how, where there was no separate test set; `context` what was run; `remarks`
    what else a reader must know, a sentence each.
    """

    KIND: ClassVar[str] = "bags"
    SCHEMA: ClassVar[int] = 1

    n: int
    instances: int
    classes: int
    first: str
    cells: tuple[BagCell, ...]
    estimated: str = ""
    context: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What the numbers mean, a sentence each."""
        return (*((self.estimated,) if self.estimated else ()), *NOTES, *self.remarks)

    @property
    def lead(self) -> str:
        """What was tested, in a sentence."""
        return (
            f"{self.n:,} bags of {self.instances:,} instances, {self.classes:,} classes; chance is"
            f" {1 / self.classes:.1%}."
        )

    def rows(self) -> list[dict[str, Any]]:
        """A row a head, with figures as shares from 0 to 1."""
        return [
            {
                "head": cell.head,
                **accuracy_columns(cell.top1),
                "auc": cell.auc.value,
                "auc_low": cell.auc.low,
                "auc_high": cell.auc.high,
                "seeds": len(cell.by_seed),
                **difference_columns(cell.against),
                **{f"auc_{key}": x for key, x in difference_columns(cell.auc_against).items()},
                "seconds": cell.seconds,
            }
            for cell in self.cells
        ]
