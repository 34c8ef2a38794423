"""The result of an evaluation on choices: accuracy by subset, and what the texts alone give."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from clipfg.types import Estimate

ALL = "all"
"""The name of the row on all subsets together."""


@dataclass(frozen=True)
class ChoiceRow:
    """The figures of one subset, by one measure.

    Attributes
    ----------
    subset, measure
        "hard"; "rank-1", or "text", "image" and "group" of pairs.
    n, images
        Its items, or pairs, and the images they are about.
    accuracy
        The share of items whose true text scores above all others, or for pairs of what the
        measure asks for. A tie is no win.
    chance
        What random scores would give.
    blind, gain
        The accuracy with the mean of all images in place of each: what the texts alone say; and
        the paired difference of `accuracy` from it. None for pairs, where it is 0 by design.
    by_length
        The better of always choosing the longest text and always the shortest; None for pairs.
    ties
        Items whose true text shares the highest score.
    """

    subset: str
    measure: str
    n: int
    images: int
    accuracy: Estimate
    chance: float
    ties: int
    blind: float | None = None
    gain: Estimate | None = None
    by_length: float | None = None


@dataclass(frozen=True)
class ChoiceReport:
    """A row for each subset and measure; the last, where there are several subsets, is on all.

    `n` items were scored; `context` is what was run, `remarks` what else a reader must know, a
    sentence each.
    """

    SCHEMA: ClassVar[int] = 1
    KIND: ClassVar[str] = "choices"

    n: int
    table: tuple[ChoiceRow, ...]
    context: Mapping[str, str]
    remarks: tuple[str, ...] = ()

    @property
    def has_pairs(self) -> bool:
        """Whether the rows are about pairs."""
        return any(row.blind is None for row in self.table)

    @property
    def overall(self) -> tuple[ChoiceRow, ...]:
        """The rows on all subsets together, one for each measure."""
        last = self.table[-1].subset
        return tuple(row for row in self.table if row.subset == last)

    def rows(self) -> list[dict[str, Any]]:
        """A row for each subset and measure, with the interval of its accuracy."""
        return [_flat(row) for row in self.table]


def _flat(row: ChoiceRow) -> dict[str, Any]:
    found = asdict(row)
    accuracy, gain = found.pop("accuracy"), found.pop("gain")
    bounds = gain or dict.fromkeys(("value", "low", "high"))
    first = {name: found.pop(name) for name in ("subset", "measure", "n", "images")}
    return {
        **first,
        "accuracy": accuracy["value"],
        "low": accuracy["low"],
        "high": accuracy["high"],
        **found,
        "gain": bounds["value"],
        "gain_low": bounds["low"],
        "gain_high": bounds["high"],
    }
