"""Curves with their intervals: accuracy against shots, keys or labels, as PNG and as SVG."""

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clipfg.errors import DataError
from clipfg.types import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which most colour-blind readers tell apart; markers help the rest.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
INK, SOFT, LINE = "#22251f", "#6a6f63", "#d5d3ca"


@dataclass(frozen=True)
class Curve:
    """A named line: an estimate, with its interval, at each `x`.

    With `level`, one estimate alone and no `x`: a horizontal line to compare with.
    Raises `DataError` where their numbers do not fit.
    """

    name: str
    x: tuple[float, ...]
    estimates: tuple[Estimate, ...]
    level: bool = False

    def __post_init__(self) -> None:
        if len(self.estimates) != (1 if self.level else len(self.x)) or not self.estimates:
            raise DataError(
                f"Expected an estimate for each x of the curve {self.name!r}, got"
                f" {len(self.estimates)} for {len(self.x)}."
            )


@dataclass(frozen=True)
class Chart:
    """Curves on one pair of axes.

    Estimates are shares, shown from 0 to 100. With `log_x`, doublings of x are equally far apart,
    and the x that occur are the ticks.
    """

    title: str
    x_label: str
    y_label: str
    curves: tuple[Curve, ...]
    log_x: bool = False

    def to_png(self) -> bytes:
        """The chart as an image, 1,440 pixels wide."""
        return self._render("png")

    def to_svg(self) -> str:
        """The chart as an SVG element that can stand in a page: no prolog, no style sheet."""
        text = self._render("svg").decode()
        return text[text.index("<svg") :]

    def _render(self, format: str) -> bytes:
        import matplotlib as mpl

        # Letters as outlines look alike everywhere, fixed names make the bytes repeatable, and a
        # class may have a dollar sign in its name.
        fixed = {
            "svg.fonttype": "path",
            "svg.hashsalt": "clipfg",
            "font.family": "DejaVu Sans",
            "text.parse_math": False,
        }
        buffer = io.BytesIO()
        with mpl.rc_context(fixed):
            metadata = {"Date": None} if format == "svg" else {"Software": None}
            self._figure().savefig(buffer, format=format, metadata=metadata)
        return buffer.getvalue()

    def _figure(self) -> "Figure":
        from matplotlib.figure import Figure

        figure = Figure(figsize=(9, 5), dpi=160, layout="constrained")
        axes = figure.add_subplot()
        for number, curve in enumerate(self.curves):
            self._draw(axes, curve, number)
        self._dress(axes)
        figure.legend(loc="outside right upper", frameon=False, fontsize=9, labelcolor=INK)
        return figure

    def _draw(self, axes: "Axes", curve: Curve, number: int) -> None:
        colour = COLOURS[number % len(COLOURS)]
        values = [100 * estimate.value for estimate in curve.estimates]
        low = [100 * estimate.low for estimate in curve.estimates]
        high = [100 * estimate.high for estimate in curve.estimates]
        if curve.level:
            axes.axhline(values[0], color=colour, linestyle="--", linewidth=1.4, label=curve.name)
            axes.axhspan(low[0], high[0], color=colour, alpha=0.08, linewidth=0)
            return
        # Beyond eight curves colours come again, with another line.
        style = ("-", "--", ":")[number // len(COLOURS) % 3]
        marker = MARKERS[number % len(MARKERS)] if len(curve.x) <= 40 else ""
        axes.plot(
            curve.x, values, style, color=colour, marker=marker, markersize=5, label=curve.name
        )
        # Bands of many curves lie over each other and would hide them.
        alpha = 0.12 if len(self.curves) <= 6 else 0.04
        axes.fill_between(curve.x, low, high, color=colour, alpha=alpha, linewidth=0)

    def _dress(self, axes: "Axes") -> None:
        from matplotlib.ticker import MaxNLocator

        axes.set_title(self.title, loc="left", fontsize=12, color=INK)
        axes.set_xlabel(self.x_label, color=SOFT)
        axes.set_ylabel(f"{self.y_label} (%)", color=SOFT)
        axes.grid(axis="y", color=LINE, linewidth=0.8)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.spines["bottom"].set_color(LINE)
        axes.tick_params(colors=SOFT, length=0)
        axes.set_axisbelow(True)
        low, high = axes.get_ylim()
        shares = [y for y in axes.get_yticks() if max(low, 0) <= y <= min(high, 100)]
        axes.set_yticks(shares)  # nothing is above 100%
        places = sorted({x for curve in self.curves for x in curve.x})
        if self.log_x:
            axes.set_xscale("log", base=2)
            axes.set_xticks(places, [f"{place:g}" for place in places])
            axes.minorticks_off()
        elif all(place == int(place) for place in places):  # there is no half of a step
            axes.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10], integer=True))
