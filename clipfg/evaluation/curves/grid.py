"""Accuracy of several series at several x, with intervals and paired differences.

A learning curve (heads by shots), a comparison of coresets (strategies by keys) and a simulation of
labelling (strategies by labels) are shown as the same tables and the same chart.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from clipfg.evaluation.statistics.repeated import Difference
from clipfg.pages.chart import Chart, Curve
from clipfg.types import Estimate

SIGNIFICANT = 0.05
"""Differences with a p value below it get a star."""


@dataclass(frozen=True)
class GridCell:
    """One series at one x.

    `column` is how the x is written ("16", "all"), and "" for a series without one; `x` is its
    place on the chart, and None makes the series a horizontal line. `against` is the difference
    from the first series at the same x, None for the first itself; `more` is a further figure, as
    text: the seconds that it took, the best accuracy possible.
    """

    series: str
    column: str
    x: float | None
    accuracy: Estimate
    against: Difference | None = None
    more: str = ""


@dataclass(frozen=True)
class Grid:
    """Series by x.

    `cells` are in the order in which series are shown, by rising x; `first` is the series that
    others are compared with; `measure`, `x_label` and `more_label` say what the numbers, the x and
    the further figures are, `context` what was run.
    """

    cells: tuple[GridCell, ...]
    first: str
    measure: str
    x_label: str
    context: Mapping[str, str]
    more_label: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """The x that occur, as they are written."""
        return tuple(dict.fromkeys(cell.column for cell in self.cells if cell.column))

    def table(
        self, show: Callable[[GridCell], str]
    ) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        """The columns that `show` has a text for, and a row of name and texts for each series."""
        texts: dict[str, dict[str, str]] = {}
        for cell in self.cells:
            if text := show(cell):
                # A series without an x stands in the first column.
                texts.setdefault(cell.series, {})[cell.column or self.columns[0]] = text
        columns = tuple(c for c in self.columns if any(c in row for row in texts.values()))
        rows = [(name, *(row.get(c, "") for c in columns)) for name, row in texts.items()]
        return columns, rows

    def chart(self) -> Chart:
        """Accuracy against x, in doublings."""
        curves = []
        for series in dict.fromkeys(cell.series for cell in self.cells):
            own = [cell for cell in self.cells if cell.series == series]
            x = tuple(cell.x for cell in own if cell.x is not None)
            estimates = tuple(cell.accuracy for cell in own if cell.x is not None or not x)
            curves.append(Curve(series, x, estimates, level=not x))
        title = " · ".join(self.context[key] for key in ("data", "model") if self.context.get(key))
        return Chart(title, self.x_label, self.measure, tuple(curves), log_x=True)


def with_reach(estimate: Estimate, sign: str = "") -> str:
    """In percent, with how far its interval reaches: "50.0 ±1.2", or "98.0 +1.5/-3.1" where the
    sides differ; `sign="+"` shows gains as such.
    """
    value = 100 * estimate.value
    up, down = f"{100 * estimate.high - value:.1f}", f"{value - 100 * estimate.low:.1f}"
    return f"{value:{sign}.1f} " + (f"±{up}" if up == down else f"+{up}/-{down}")


def in_seconds(seconds: float) -> str:
    """Seconds, with as many decimals as matter."""
    return f"{seconds:.2f}" if seconds < 10 else f"{seconds:.0f}"


def star(against: Difference | None) -> str:
    """A star where a difference is significant, else a space as wide."""
    return "*" if against is not None and against.p_value < SIGNIFICANT else " "
