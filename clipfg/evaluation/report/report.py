"""The result of an evaluation: one object, shown in a terminal, as JSON or as a page."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Self

from clipfg.errors import DataError
from clipfg.evaluation.report.rolled_up import RolledUp
from clipfg.evaluation.statistics.outcomes import TOP_K
from clipfg.evaluation.statistics.severity import Severity
from clipfg.types import Estimate

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType

    from clipfg.evaluation.report.page import PredictedImage

SCHEMA = 1

METRICS: Mapping[str, str] = {
    "top1": "top-1 accuracy",
    "top5": "top-5 accuracy",
    "mean_per_class": "mean per class",
    "macro_f1": "macro F1",
    "nll": "NLL",
    "ece": "calibration error",
}
"""Every metric's key and what it is called; all but `nll` (in nats) lie between 0 and 1."""


@dataclass(frozen=True)
class ClassRow:
    """One class: its items, and what share of them is right.

    `accuracy` is the class's recall. It, `top5` and `f1` are None for a class with no items,
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
    """Items of class `true` that were called `predicted`.

    `share` is of all items of `true`; `ancestor` is the nearest node of the taxonomy above both.
    """

    true: str
    predicted: str
    count: int
    share: float
    ancestor: str | None = None


@dataclass(frozen=True)
class DomainRow:
    """The items of one domain ("seen", "unseen"), scored among all classes."""

    name: str
    n: int
    classes: int
    top1: Estimate
    top5: Estimate
    mean_per_class: Estimate


@dataclass(frozen=True)
class LevelRow:
    """Whether the prediction is right at a higher level of the taxonomy.

    `level` counts upwards from 1, the classes' parents; `groups` is how many there are. Only the
    `n` items whose class has an ancestor at that level are counted; `chance` is what guessing a
    class at random would score. `name` is what the data calls the level, where it does.
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
    """Numbers with 95 % intervals, per-class rows, and what was mistaken for what.

    Attributes
    ----------
    n
        Labelled items, which everything here is about.
    classes
        How many classes a prediction could name.
    metrics
        One `Estimate` for each key of `METRICS`.
    chance
        The accuracy of guessing: 1 / classes.
    majority
        The accuracy of always naming the test set's commonest class.
    per_class
        A row for every class, in the class list's order.
    confusions
        The most frequent mistakes, most frequent first.
    by_domain, by_level
        Rows where the data has domains or a taxonomy.
    unlabelled
        Items that were scored but have no label to compare with.
    context
        What was run (model, data, prompts ...), shown above the numbers.
    transductive
        What has looked at all unlabelled images of the test pool before naming any, or nothing.
        Every number is then marked so, wherever it is shown.
    remarks
        What a reader must know besides, a sentence each.
    severity
        How bad the mistakes are by the taxonomy, where there is one.
    rolled_up
        How right answers are that may be groups, where that was asked.
    """

    n: int
    classes: int
    metrics: Mapping[str, Estimate]
    chance: float
    majority: float
    per_class: Sequence[ClassRow]
    confusions: Sequence[Confusion]
    by_domain: Sequence[DomainRow] = ()
    by_level: Sequence[LevelRow] = ()
    unlabelled: int = 0
    context: Mapping[str, str] = field(default_factory=dict)
    transductive: str = ""
    remarks: Sequence[str] = ()
    severity: Severity | None = None
    rolled_up: RolledUp | None = None

    @property
    def absent(self) -> tuple[str, ...]:
        """Classes that have no item here; no mean counts them."""
        return tuple(row.name for row in self.per_class if row.n == 0)

    @property
    def shown_metrics(self) -> tuple[str, ...]:
        """The metrics worth showing: top-5 says nothing among so few classes."""
        return tuple(key for key in METRICS if key != "top5" or self.classes > TOP_K)

    @property
    def caveat(self) -> str:
        """How transductive numbers were obtained, in a line; empty for the others."""
        if not self.transductive:
            return ""
        return f"transductive: used the unlabelled test pool ({self.transductive})"

    def title_of(self, key: str) -> str:
        """What a metric is called here, its mark included."""
        return METRICS[key] + (" (transductive)" if self.transductive else "")

    def chance_of(self, key: str) -> float | None:
        """What guessing scores in a metric; None where that has no short answer."""
        guesses = {"top1": 1, "mean_per_class": 1, "top5": min(TOP_K, self.classes)}
        return guesses[key] / self.classes if key in guesses else None

    def worst(self, limit: int) -> list[ClassRow]:
        """The classes with the lowest accuracy, the larger class first among equals."""
        rows = [row for row in self.per_class if row.accuracy is not None]
        return sorted(rows, key=lambda row: (row.accuracy, -row.n, row.name))[:limit]

    def to_json(self) -> dict[str, Any]:
        """Plain values under stable keys; `from_json` reads them back."""
        return {"schema": SCHEMA, **asdict(self), "absent": list(self.absent)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """The report that `to_json` wrote. Raises `DataError` for anything else."""
        if content.get("schema") != SCHEMA:
            raise DataError(
                f"Expected a report of schema {SCHEMA}, got {content.get('schema')!r};"
                " it is no report or was written by another version of clipfg."
            )
        try:
            return cls(
                n=content["n"],
                classes=content["classes"],
                metrics={key: Estimate(**content["metrics"][key]) for key in METRICS},
                chance=content["chance"],
                majority=content["majority"],
                per_class=tuple(ClassRow(**row) for row in content["per_class"]),
                confusions=tuple(Confusion(**row) for row in content["confusions"]),
                by_domain=tuple(_domain(row) for row in content["by_domain"]),
                by_level=tuple(_level(row) for row in content["by_level"]),
                unlabelled=content["unlabelled"],
                context=dict(content["context"]),
                transductive=content.get("transductive", ""),
                remarks=tuple(content.get("remarks", ())),
                severity=_severity(content.get("severity")),
                rolled_up=_rolled_up(content.get("rolled_up")),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"The report is damaged: {error} is missing or wrong.") from None

    def to_html(self, images: Sequence["PredictedImage"] = ()) -> str:
        """One page with nothing outside it; see `clipfg.evaluation.report.page`."""
        from clipfg.evaluation.report.page import render_page

        return render_page(self, images)

    def __rich_console__(
        self, console: "Console", options: "ConsoleOptions"
    ) -> Iterator["RenderableType"]:
        from clipfg.evaluation.report.terminal import render

        yield render(self, options.max_width)


def _domain(row: Mapping[str, Any]) -> DomainRow:
    estimates = {key: Estimate(**row[key]) for key in ("top1", "top5", "mean_per_class")}
    return DomainRow(**{**row, **estimates})


def _level(row: Mapping[str, Any]) -> LevelRow:
    return LevelRow(**{**row, "accuracy": Estimate(**row["accuracy"])})


def _severity(content: Mapping[str, Any] | None) -> Severity | None:
    return Severity(**{**content, "mean": Estimate(**content["mean"])}) if content else None


def _rolled_up(content: Mapping[str, Any] | None) -> RolledUp | None:
    if not content:
        return None
    right = content["right"]
    return RolledUp(**{**content, "right": Estimate(**right) if right else None})
