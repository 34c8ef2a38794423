"""The result of an evaluation: metrics with intervals, and where accuracy is lost."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import computed_field

from clipfg.evaluation.report.rolled_up import RolledUp
from clipfg.evaluation.statistics.outcomes import TOP_K
from clipfg.evaluation.statistics.severity import Severity
from clipfg.types import Estimate

METRICS: Mapping[str, str] = {
    "top1": "top-1 accuracy",
    "top5": "top-5 accuracy",
    "mean_per_class": "mean per-class accuracy",
    "macro_f1": "macro F1",
    "nll": "NLL",
    "ece": "calibration error (ECE)",
}
"""Each metric's key and its name; all but `nll` (in nats) lie between 0 and 1."""


@dataclass(frozen=True)
class ClassRow:
    """One class: its items, and how well they were classified.

    `accuracy` is the class's recall. It, `top5` and `f1` are None for a class without items,
    `precision` for one that was never predicted.
    """

    name: str
    n: int
    accuracy: float | None
    top5: float | None
    precision: float | None
    f1: float | None


@dataclass(frozen=True)
class Confusion:
    """Items of class `true` that were predicted as `predicted`.

    `share` is of all items of `true`; `ancestor` is the lowest common ancestor in the taxonomy.
    """

    true: str
    predicted: str
    count: int
    share: float
    ancestor: str | None = None


@dataclass(frozen=True)
class DomainRow:
    """The items of one domain ("seen", "unseen"), classified among all classes."""

    name: str
    n: int
    classes: int
    top1: Estimate
    top5: Estimate
    mean_per_class: Estimate


@dataclass(frozen=True)
class LevelRow:
    """Accuracy at a higher level of the taxonomy.

    `level` counts upwards from 1, the classes' parents; `groups` is how many there are. Only the
    `n` items whose class has an ancestor at that level count; `chance` is what a random class
    would score. `name` is what the data calls the level, where it does.
    """

    level: int
    groups: int
    n: int
    accuracy: Estimate
    chance: float
    name: str = ""

    @property
    def title(self) -> str:
        """The level's name: "genus", else "parent", "grandparent", ..."""
        if self.name:
            return self.name
        return "great-" * (self.level - 2) + ("parent" if self.level == 1 else "grandparent")


@dataclass(frozen=True)
class Report:
    """Metrics with 95% intervals, per-class rows and confusions.

    Attributes
    ----------
    n, unlabelled
        Labelled items, which every number here is about, and those that have no label.
    classes
        How many classes a prediction could be.
    metrics
        One `Estimate` for each key of `METRICS`.
    chance, majority
        The accuracy of guessing, and of always predicting the largest class of the test set.
    per_class, confusions
        Every class, in the class list's order; the most frequent mistakes, most frequent first.
    by_domain, by_level, severity
        Where the data has domains or a taxonomy.
    context, remarks
        What was run, shown above the numbers; what else a reader must know, a sentence each.
    transductive
        The method that saw all unlabelled test images before it classified any; "" for none.
        Every number is marked as transductive wherever it is shown.
    rolled_up
        The accuracy of answers that may be groups, where those were asked for.
    """

    SCHEMA: ClassVar[int] = 1

    n: int
    classes: int
    metrics: Mapping[str, Estimate]
    chance: float
    majority: float
    per_class: tuple[ClassRow, ...]
    confusions: tuple[Confusion, ...]
    by_domain: tuple[DomainRow, ...]
    by_level: tuple[LevelRow, ...]
    unlabelled: int
    context: Mapping[str, str]
    transductive: str = ""
    remarks: tuple[str, ...] = ()
    severity: Severity | None = None
    rolled_up: RolledUp | None = None

    def __post_init__(self) -> None:
        if missing := METRICS.keys() - self.metrics.keys():
            raise ValueError(f"no estimate of {', '.join(sorted(missing))}")

    @computed_field  # type: ignore[prop-decorator]
    @property
    def absent(self) -> tuple[str, ...]:
        """Classes without items here; they enter no mean."""
        return tuple(row.name for row in self.per_class if row.n == 0)

    @property
    def shown_metrics(self) -> tuple[str, ...]:
        """The metrics worth showing: top-5 says nothing among so few classes."""
        return tuple(key for key in METRICS if key != "top5" or self.classes > TOP_K)

    @property
    def caveat(self) -> str:
        """How transductive numbers came about, in a line; empty for others."""
        if not self.transductive:
            return ""
        return f"transductive: used the unlabelled test pool ({self.transductive})"

    def title_of(self, key: str) -> str:
        """The name of a metric, marked where the numbers are transductive."""
        return METRICS[key] + (" (transductive)" if self.transductive else "")

    def chance_of(self, key: str) -> float | None:
        """What guessing scores in a metric; None where that has no short answer."""
        guesses = {"top1": 1, "mean_per_class": 1, "top5": min(TOP_K, self.classes)}
        return guesses[key] / self.classes if key in guesses else None

    def rows(self) -> list[dict[str, Any]]:
        """A row per metric, with its interval."""
        mark = {"transductive": self.transductive} if self.transductive else {}
        return [
            {"metric": name, "value": figure.value, "low": figure.low, "high": figure.high} | mark
            for name, figure in self.metrics.items()
        ]

    @property
    def ranked(self) -> tuple[ClassRow, ...]:
        """All classes, hardest first, the larger first among equals; those without items last."""

        def hardness(row: ClassRow) -> tuple[bool, float, int, str]:
            return row.accuracy is None, row.accuracy or 0.0, -row.n, row.name

        return tuple(sorted(self.per_class, key=hardness))
