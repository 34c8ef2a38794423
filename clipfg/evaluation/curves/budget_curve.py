"""What coreset strategies score at each number of keys a class: one object, shown in every way."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from html import escape
from typing import Any, Self

from clipfg.evaluation.curves.cells import (
    accuracy_chart,
    cell_fields,
    difference_cells,
    difference_columns,
    in_percent,
    reading,
    star,
)
from clipfg.evaluation.report.terminal import bounds, percent
from clipfg.evaluation.statistics.repeated import Difference
from clipfg.pages import html
from clipfg.pages.chart import Chart, Curve
from clipfg.types import Estimate

KIND = "budget-curve"
SCHEMA = 1

NOTES = (
    "An image is given the class of its nearest key, by cosine.",
    "Intervals are 95 % over test images and, where a strategy draws, over its draws"
    " (Satterthwaite's t). Differences are paired; p values are of single t tests, and of many some"
    " come out below 0.05 by chance.",
)


@dataclass(frozen=True)
class BudgetCell:
    """One strategy at one budget.

    Attributes
    ----------
    strategy, per_class
        Its name, and the keys of each class at the most; None for the full support.
    keys
        In all, the mean over draws.
    top1
        By the nearest key, with its interval; `by_draw` has each draw's own.
    seconds
        Of processor time to condense once.
    against
        This one less the first strategy at the same budget; None for the first itself.
    """

    strategy: str
    per_class: int | None
    keys: float
    top1: Estimate
    by_draw: tuple[float, ...]
    seconds: float
    against: Difference | None = None


@dataclass(frozen=True)
class BudgetCurve:
    """Strategies by budgets, on one test set of `n` images and `classes` classes.

    `first` is the strategy that the others are compared with.
    """

    n: int
    classes: int
    first: str
    cells: tuple[BudgetCell, ...]
    context: Mapping[str, str] = field(default_factory=dict)
    remarks: Sequence[str] = ()

    def rows(self) -> list[dict[str, Any]]:
        """A row per cell, with figures as shares from 0 to 1."""
        rows = []
        for cell in self.cells:
            rows.append(
                {
                    "strategy": cell.strategy,
                    "per_class": cell.per_class,
                    "keys": cell.keys,
                    "top1": cell.top1.value,
                    "low": cell.top1.low,
                    "high": cell.top1.high,
                    "draws": len(cell.by_draw),
                    **difference_columns(cell.against),
                    "seconds": cell.seconds,
                }
            )
        return rows

    def shown(self) -> list[dict[str, str]]:
        """Strategies down and budgets across, in per cent with half the interval's width.

        A star marks what differs from the first strategy with p below 0.05.
        """
        table: dict[str, dict[str, str]] = {}
        for cell in self.cells:
            budget = "all" if cell.per_class is None else str(cell.per_class)
            text = in_percent(cell.top1) + star(cell.against)
            table.setdefault(cell.strategy, {})[budget] = text
        columns = dict.fromkeys(budget for row in table.values() for budget in row)
        return [
            {"strategy": name} | {budget: row.get(budget, "") for budget in columns}
            for name, row in table.items()
        ]

    def chart(self) -> Chart:
        """Accuracy against keys a class; the full support is a level line."""
        curves = []
        for name in dict.fromkeys(cell.strategy for cell in self.cells):
            own = [cell for cell in self.cells if cell.strategy == name]
            estimates = tuple(cell.top1 for cell in own)
            places = tuple(float(cell.per_class) for cell in own if cell.per_class is not None)
            label = name if places else f"{name} ({own[0].keys:,.0f} keys)"
            curves.append(Curve(label, places, estimates, level=not places))
        return accuracy_chart(
            self.context, "keys of each class", "right by the nearest key", curves
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values under stable keys."""
        return {"kind": KIND, "schema": SCHEMA, **asdict(self)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """What `to_json` wrote. Raises `DataError` for anything else."""
        with reading(content, KIND, SCHEMA):
            own = {key: content[key] for key in cls.__dataclass_fields__}
            cells = tuple(BudgetCell(**cell_fields(cell, "by_draw")) for cell in own.pop("cells"))
            return cls(cells=cells, **own | {"remarks": tuple(own["remarks"])})

    def to_html(self) -> str:
        """The whole page: the figure, a table of every number, and what they mean."""
        budgeted = [cell for cell in self.cells if cell.per_class is not None]
        best = max(budgeted, key=lambda cell: cell.top1.value)
        lead = (
            f"{self.n:,} test images of {self.classes:,} classes; guessing scores"
            f" {percent(1 / self.classes)}. No test image has a say in any key."
        )
        many = len({cell.strategy for cell in budgeted})
        keys = "key" if best.per_class == 1 else "keys"
        headline = (
            f"{percent(best.top1.value)} with {best.strategy}, {best.per_class} {keys} a class: the"
            f" best of {many} strategies"
        )
        columns = ("strategy", "keys a class", "keys", "right", "95 % interval")
        against = (f"points against {self.first}", "p", "seconds")
        body = html.table((*columns, *against), [_row(cell) for cell in self.cells])
        parts = [
            html.header("clipfg coreset", headline, lead, tuple(self.context.items())),
            html.section("Accuracy by keys a class", self.chart().to_svg()),
            html.section("The numbers", body),
            html.footer((*NOTES, *self.remarks)),
        ]
        return html.page(f"{self.context.get('data', '')} coresets".strip(), parts)


def _row(cell: BudgetCell) -> str:
    cells = (
        f'<td class="n">{"all" if cell.per_class is None else cell.per_class}</td>',
        f'<td class="n">{cell.keys:,.0f}</td>',
        f'<td class="n strong">{percent(cell.top1.value)}</td>',
        f'<td class="n">{bounds(cell.top1)}</td>',
        *difference_cells(cell.against),
        f'<td class="n">{cell.seconds:.2f}</td>',
    )
    return f'<th scope="row">{escape(cell.strategy)}</th>{"".join(cells)}'
