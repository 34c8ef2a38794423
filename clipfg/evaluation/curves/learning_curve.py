"""What few-shot heads score at each number of shots: one object, shown in every way."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Self

from clipfg.evaluation.curves.cells import accuracy_chart, cell_fields, difference_columns, reading
from clipfg.evaluation.reliability.reliability import Reliability
from clipfg.evaluation.statistics.repeated import Difference
from clipfg.pages.chart import Chart, Curve
from clipfg.types import Estimate

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType

KIND = "learning-curve"
SCHEMA = 1

INTERVALS = (
    "Intervals are 95 % over both test images and draws of the support (Satterthwaite's t): what"
    " another test set and another draw would leave of the figure. With one draw they are over the"
    " images alone."
)
PAIRED = (
    "Differences are paired, on the same images and draws; p values are of single t tests, and"
    " of many some come out below 0.05 by chance."
)


@dataclass(frozen=True)
class LearningCurveCell:
    """One head at one number of shots.

    Attributes
    ----------
    head, shots
        Names; `shots` is empty for what learns from no image.
    per_class
        Images of a class that were learnt from, on average.
    top1
        The mean over draws and items, with the interval of `repeated.accuracy_over`.
    by_seed
        Each draw's own accuracy.
    mean_per_class
        The mean over classes of the share right, over the draws.
    seconds
        To fit once, its choices included; the mean over draws.
    against
        This head less the first on the same items and draws; None for the first itself.
    transductive
        It has looked at all unlabelled test images before naming any.
    """

    head: str
    shots: str
    per_class: float
    top1: Estimate
    by_seed: tuple[float, ...]
    mean_per_class: float
    seconds: float
    against: Difference | None = None
    transductive: bool = False

    @property
    def label(self) -> str:
        """The head's name, marked where it is transductive."""
        return f"{self.head} (transductive)" if self.transductive else self.head


@dataclass(frozen=True)
class LearningCurve:
    """Heads by shots, on one test set.

    Attributes
    ----------
    n, classes
        Test images, and classes told apart.
    first
        The head that the others are compared with.
    cells
        In the order of heads, then shots.
    estimated
        How accuracy was estimated, where not on a test set of its own.
    context
        What was run, shown above the numbers.
    remarks
        What a reader must know besides, a sentence each.
    reliability
        How far the first head's probabilities, sets and silences hold, where that was asked.
    """

    n: int
    classes: int
    first: str
    cells: tuple[LearningCurveCell, ...]
    estimated: str = ""
    context: Mapping[str, str] = field(default_factory=dict)
    remarks: Sequence[str] = ()
    reliability: Reliability | None = None

    @property
    def shots(self) -> tuple[str, ...]:
        """The numbers of shots, in order."""
        return tuple(dict.fromkeys(cell.shots for cell in self.cells if cell.shots))

    @property
    def by_head(self) -> dict[str, dict[str, LearningCurveCell]]:
        """Cells by the head's label, then by shots."""
        table: dict[str, dict[str, LearningCurveCell]] = {}
        for cell in self.cells:
            table.setdefault(cell.label, {})[cell.shots] = cell
        return table

    @property
    def notes(self) -> tuple[str, ...]:
        """What the numbers mean and do not cover, a sentence each."""
        estimated = (self.estimated,) if self.estimated else ()
        paired = (PAIRED,) if any(cell.against for cell in self.cells) else ()
        return (*estimated, INTERVALS, *paired, *self.remarks)

    def rows(self) -> list[dict[str, Any]]:
        """A row per cell, with figures as shares from 0 to 1."""
        rows = []
        for cell in self.cells:
            rows.append(
                {
                    "head": cell.head,
                    "shots": cell.shots or None,
                    "per_class": cell.per_class,
                    "top1": cell.top1.value,
                    "low": cell.top1.low,
                    "high": cell.top1.high,
                    "lowest_draw": min(cell.by_seed),
                    "highest_draw": max(cell.by_seed),
                    "draws": len(cell.by_seed),
                    "mean_per_class": cell.mean_per_class,
                    **difference_columns(cell.against),
                    "seconds": cell.seconds,
                    "transductive": cell.transductive,
                }
            )
        return rows

    def chart(self) -> Chart:
        """Accuracy against shots; what learns from no image is a level line."""
        curves = []
        for label, by_shots in self.by_head.items():
            cells = [cell for cell in by_shots.values() if cell.shots]
            estimates = tuple(cell.top1 for cell in cells)
            if cells:
                curves.append(Curve(label, tuple(map(_place, cells)), estimates))
            else:
                curves.append(Curve(label, (), (by_shots[""].top1,), level=True))
        labels = "images of each class to learn from", "right at the first guess"
        return accuracy_chart(self.context, *labels, curves)

    def to_json(self) -> dict[str, Any]:
        """Plain values under stable keys; `from_json` reads them back."""
        return {"kind": KIND, "schema": SCHEMA, **asdict(self)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """What `to_json` wrote. Raises `DataError` for anything else."""
        with reading(content, KIND, SCHEMA):
            own = {key: content[key] for key in cls.__dataclass_fields__ if key != "reliability"}
            cells = tuple(
                LearningCurveCell(**cell_fields(cell, "by_seed")) for cell in own.pop("cells")
            )
            found = content.get("reliability")
            reliability = Reliability.from_json(found) if found else None
            own["remarks"] = tuple(own["remarks"])
            return cls(cells=cells, reliability=reliability, **own)

    def to_html(self) -> str:
        """The whole page."""
        from clipfg.evaluation.curves.learning_curve_page import render_page

        return render_page(self)

    def __rich_console__(
        self, console: "Console", options: "ConsoleOptions"
    ) -> "Iterator[RenderableType]":
        from clipfg.evaluation.curves.learning_curve_terminal import render

        yield from render(self)


def _place(cell: LearningCurveCell) -> float:
    return float(cell.shots) if cell.shots.isdecimal() else cell.per_class
