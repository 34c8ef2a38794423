"""What all curves of accuracy write and show alike: their cells, and what is read back of them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from clipfg.errors import DataError
from clipfg.evaluation.statistics.repeated import Difference
from clipfg.pages.chart import Chart, Curve
from clipfg.types import Estimate

CHANCE = 0.05
"""Differences of a p value below it get a star."""


@contextmanager
def reading(content: Mapping[str, Any], kind: str, schema: int) -> Iterator[None]:
    """Read a curve's plain values. Raises `DataError` for another kind, and where some lack."""
    if content.get("kind") != kind or content.get("schema") != schema:
        raise DataError(
            f"Expected a {kind} of schema {schema}, got {content.get('kind')!r} of"
            f" {content.get('schema')!r}; another version of clipfg may have written it."
        )
    try:
        yield
    except (KeyError, TypeError) as error:
        raise DataError(f"Expected a whole {kind}, got one that lacks {error}.") from None


def cell_fields(content: Mapping[str, Any], draws: str) -> dict[str, Any]:
    """A cell's arguments from its plain values; `draws` names the field with each draw's own."""
    against = content["against"]
    return {
        **content,
        "top1": Estimate(**content["top1"]),
        draws: tuple(content[draws]),
        "against": against and Difference(Estimate(**against["estimate"]), against["p_value"]),
    }


def difference_columns(against: Difference | None) -> dict[str, float | None]:
    """Of a row: a paired difference with its interval and p value, as shares."""
    gain = against.estimate if against else None
    return {
        "difference": gain.value if gain else None,
        "difference_low": gain.low if gain else None,
        "difference_high": gain.high if gain else None,
        "p_value": against.p_value if against else None,
    }


def difference_cells(against: Difference | None) -> tuple[str, str]:
    """Of a row of an HTML table: points with their interval, and p."""
    if against is None:
        return '<td class="n"></td>', '<td class="n"></td>'
    gain = against.estimate
    points = f"{100 * gain.value:+.1f} ({100 * gain.low:+.1f} to {100 * gain.high:+.1f})"
    return f'<td class="n">{points}</td>', f'<td class="n">{against.p_value:.2g}</td>'


def in_percent(estimate: Estimate, sign: str = "") -> str:
    """An estimate with half the width of its interval; `sign="+"` shows gains as such."""
    half = 50 * (estimate.high - estimate.low)
    return f"{100 * estimate.value:{sign}.1f} ±{half:.1f}"


def star(against: Difference | None) -> str:
    """A star where a difference is unlikely to be chance, else a space as wide."""
    return "*" if against is not None and against.p_value < CHANCE else " "


def accuracy_chart(
    context: Mapping[str, str], x_label: str, y_label: str, curves: Sequence[Curve]
) -> Chart:
    """Accuracy against what doubles, under the name of the data and the model."""
    title = " · ".join(context[key] for key in ("data", "model") if context.get(key))
    return Chart(title, x_label, y_label, tuple(curves), log_x=True)
