"""The rows of a table by the class that each is of, and what its columns say of each class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from clipfg.data.readers import column_names as known
from clipfg.data.readers.codes import are_codes, identity, is_number
from clipfg.data.readers.labels import plain
from clipfg.data.readers.table_cells import Values

if TYPE_CHECKING:
    from jaxtyping import Int


@dataclass(frozen=True)
class TableClasses:
    """The distinct rows of a table, each with the key of its class, blank for none.

    `counts` says how many rows each stands for, `spelt` how often each key is spelt how.
    """

    values: Values
    counts: Int[np.ndarray, " n"]
    keys: list[str]
    spelt: dict[str, Counter[str]]

    @classmethod
    def of(cls, values: Values, counts: Int[np.ndarray, " n"], main: str, answered: str) -> Self:
        """By the values of the column `main`; `answered` is it or one that names the same."""
        cells = values[main]
        if answered != main:  # a row with one of two names is of the class that has both
            both = zip(values[answered], cells, strict=True)
            filled = {plain(other): own for other, own in both if own and other}
            pairs = zip(cells, values[answered], strict=True)
            cells = [own or filled.get(plain(other), other) for own, other in pairs]
        keys = [_key(cell) for cell in cells]
        spelt: dict[str, Counter[str]] = {}
        for key, cell, count in zip(keys, cells, counts.tolist(), strict=True):
            if key:
                spelt.setdefault(key, Counter())[cell] += count
        return cls(values, counts, keys, spelt)

    @property
    def doubt(self) -> str:
        """A remark on classes that are spelt in several ways; empty where there are none."""
        several = [sorted(c) for c in self.spelt.values() if len(c) > 1]
        if not several:
            return ""
        first = ", ".join(repr(s)[:60] for s in several[0])
        return (
            f"{len(several):,} class{'es are' if len(several) > 1 else ' is'} spelt in several"
            f" ways ({first}) and read as one."
        )

    def most(self, column: str) -> dict[str, str]:
        """The value of a column that most rows of a class have, blanks aside."""
        found: dict[str, Counter[str]] = {}
        rows = zip(self.keys, self.values[column], self.counts.tolist(), strict=True)
        for key, value, count in rows:
            if key and value:
                found.setdefault(key, Counter())[value] += count
        return {key: counter.most_common(1)[0][0] for key, counter in found.items()}

    def has_one(self, column: str) -> bool:
        """Whether each class has one value of a column."""
        found: dict[str, str] = {}
        pairs = zip(self.keys, self.values[column], strict=True)
        return all(found.setdefault(k, plain(v)) == plain(v) for k, v in pairs if k and v)

    def titles(self, own: Mapping[str, str], answered: str) -> dict[str, str]:
        """What each class is called in answers: where two share a name, with their own in it."""
        asked = self.most(answered)
        used = Counter(plain(asked.get(key, name)) for key, name in own.items())
        title = {}
        for key, name in own.items():
            called = asked.get(key, name)
            title[key] = called if used[plain(called)] == 1 else f"{called} ({name})"
            if plain(called) == plain(name):
                title[key] = name
        return title

    def synonyms(
        self, columns: Sequence[str], title: Mapping[str, str]
    ) -> dict[str, dict[str, str]]:
        """Those of some columns that name the same classes otherwise, by their titles."""
        synonyms: dict[str, dict[str, str]] = {}
        for column in columns:
            words = [value for value in self.values[column] if value]
            if are_codes(words) or not words:
                continue
            called = self.most(column)
            one_each = len({plain(name) for name in called.values()}) == len(called)
            differs = any(plain(name) != plain(title[key]) for key, name in called.items())
            if one_each and differs and self.has_one(column):
                synonyms[column] = {title[key]: name for key, name in called.items()}
        return synonyms

    def lineages(
        self, order: Sequence[str], ranks: Mapping[str, str]
    ) -> tuple[list[list[str]], list[str]]:
        """The ancestors of each class, on the levels where each has one alone, and these."""
        levels = [level for level in known.RANKS if level in ranks and self.has_one(ranks[level])]
        above = [self.most(ranks[level]) for level in levels]
        return [[found.get(key, "") for found in above] for key in order], levels


def _key(cell: str) -> str:
    """What spellings of one class have in common; single letters differ by case."""
    if is_number(cell):
        return identity(cell)
    return plain(cell) or cell if len(cell) > 2 else cell
