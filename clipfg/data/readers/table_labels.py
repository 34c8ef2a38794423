"""From the columns of a table that name classes to one label a row, and a class list.

Rows with the same values are looked at once, so that a million rows cost little. The rules, of
which the reading of a table tells those that applied:

- the label is the column of `--label-column`, else the first known one that holds anything;
- numbers and codes are called by a column beside them whose words stand for them one to one, and
  stay the ids of their classes;
- `class`, `order`, `family` and `genus` are ranks of a taxonomy, never labels beside a species; a
  genus and an epithet make a species;
- other columns that name the same classes are synonyms; a common name is what is answered;
- spellings that differ in case alone are one class.
"""

import ast
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from clipfg.data.readers import column_names as known
from clipfg.data.readers.class_tables import with_lineages
from clipfg.data.readers.codes import are_codes, are_nameless, are_short, identity, is_number
from clipfg.data.readers.column_names import key_of
from clipfg.data.readers.labels import natural, plain
from clipfg.data.readers.table_columns import TableColumns
from clipfg.errors import DataError
from clipfg.types import UNLABELLED, ClassList, Hints, Role

Values = dict[str, list[str]]
"""The values of each column, for each distinct row."""

MISSING = frozenset({"nan", "NaN", "NULL", "null", "N/A", "n/a", "NA", "#N/A", "<NA>", "None"})
_MARKS = frozenset({"?", "-", "--", "\u2013", "\u2014"})
"""What stands for nothing where others are words: they may be signs to be told apart."""
_BINOMIAL = re.compile(r"[A-Z][a-zë-]+ [a-zë-]{3,}( .*)?")


@dataclass
class Labelled:
    """The labels of all rows."""

    labels: NDArray[np.int64]
    """Class indices `[n]`; the first of several; `UNLABELLED` where there is none."""
    classes: ClassList | None = None
    several: NDArray[np.bool_] | None = None
    """Rows `[n]` with more than one label."""
    example: tuple[str, ...] = ()
    """The labels of the first such row."""
    roles: list[Role] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)


def label_rows(table: pa.Table, columns: TableColumns, hints: Hints) -> Labelled:
    """The labels of a table's rows; its columns have the table's own names."""
    if columns.one_hot:
        return _one_hot(table, columns.one_hot)
    names = [c for c in (*columns.labels, *columns.ranks.values()) if c in table.column_names]
    if not names:
        return Labelled(np.full(table.num_rows, UNLABELLED))
    values, rows = distinct_rows(table, list(dict.fromkeys(names)))
    counts = np.bincount(rows, minlength=len(next(iter(values.values()), [])))
    return _Naming(values, counts, columns, hints).labelled(rows)


def distinct_rows(table: pa.Table, columns: Sequence[str]) -> tuple[Values, NDArray[np.int64]]:
    """The distinct rows of some columns, in order of their first occurrence, and each row's."""
    combined = np.zeros(table.num_rows, np.int64)
    for column in columns:
        coded = table[column].combine_chunks().dictionary_encode()
        codes = pc.fill_null(coded.indices, -1).to_numpy().astype(np.int64) + 1
        pairs = combined * (len(coded.dictionary) + 1) + codes
        _, combined = np.unique(pairs, return_inverse=True)
    _, first, rows = np.unique(combined, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    taken = table.select(list(columns)).take(pa.array(first[order]))
    values = {c: _without_marks([clean(v) for v in taken[c].to_pylist()]) for c in columns}
    return values, place[rows]


def _without_marks(values: list[str]) -> list[str]:
    if all(len(value) < 3 for value in values):
        return values
    return ["" if value in _MARKS else value for value in values]


def clean(value: str | None) -> str:
    """A label in composed Unicode without white space around it; blank where it says nothing."""
    text = unicodedata.normalize("NFC", value or "").strip()
    if text.startswith("{"):
        text = _in_object(text)
    return "" if text in MISSING else text


def _in_object(text: str) -> str:
    """The name in a JSON object that stands for a label. Raises `DataError` where it has none."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return text
    named = [found[key] for key in ("name", "label", "class", "class_name") if key in found]
    if not named or not isinstance(named[0], str | int):
        raise DataError(f"Expected a label, got an object: {text!r:.80}; name another column.")
    return str(named[0]).strip()


def labels_in(cells: Sequence[str], *, plural: bool) -> list[tuple[str, ...]]:
    """The labels of each cell: lists in brackets, and values divided by one separator.

    A separator divides only where every part of every divided cell is also a label by itself, so
    that names that contain it stay whole; `|` and `;` also where the column is `plural`.
    """
    if any(cell.startswith("[") for cell in cells):
        return [_bracketed(cell) for cell in cells]
    whole = {plain(cell) for cell in cells}
    for separator in ("|", ";", ",", " "):
        divided = [cell for cell in cells if separator in cell]
        parts = {plain(part) for cell in divided for part in cell.split(separator)}
        if divided and (parts <= whole or (plural and separator in "|;")):
            return [
                tuple(dict.fromkeys(part.strip() for part in cell.split(separator) if part.strip()))
                for cell in cells
            ]
    return [(cell,) if cell else () for cell in cells]


def _are_tags(cells: Sequence[str]) -> bool:
    """Whether cells are words that recur in others, with spaces between: `haze primary water`."""
    words = Counter(word for cell in {*cells} for word in {*cell.split()})
    return any(" " in cell for cell in cells) and 2 * sum(n > 1 for n in words.values()) > len(
        words
    )


def _bracketed(cell: str) -> tuple[str, ...]:
    if not (cell.startswith("[") and cell.endswith("]")):
        return (cell,) if cell else ()
    for parse in (json.loads, ast.literal_eval):
        try:
            found = parse(cell)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(found, list):
            return tuple(dict.fromkeys(clean(str(part)) for part in found))
    return tuple(
        part.strip(" '\"") for part in re.split(r"[,\s]+", cell[1:-1]) if part.strip(" '\"")
    )


def _one_hot(table: pa.Table, columns: Sequence[str]) -> Labelled:
    """One column a class: its label is the one that is 1."""
    labels = np.full(table.num_rows, UNLABELLED)
    counts = np.zeros(table.num_rows, np.int64)
    order = sorted(columns, key=natural)
    for place, column in enumerate(order):
        texts = pc.utf8_lower(pc.utf8_trim_whitespace(pc.fill_null(table[column], "")))
        ones = pc.is_in(texts, pa.array(["1", "1.0", "true"])).to_numpy()
        labels[ones & (counts == 0)] = place
        counts += ones
    several = counts > 1
    example: tuple[str, ...] = ()
    if several.any():
        row = int(several.argmax())
        cells = {c: (table[c][row].as_py() or "").strip().lower() for c in order}
        example = tuple(c for c in order if cells[c] in {"1", "1.0", "true"})
    roles = [Role(f"{len(order)} columns of 0 and 1, {order[0]!r} first", "one class each")]
    return Labelled(labels, ClassList(tuple(order)), several, example, roles)


@dataclass
class _Naming:
    """How the distinct rows of a table become classes."""

    values: Values
    counts: NDArray[np.int64]
    columns: TableColumns
    hints: Hints
    roles: list[Role] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    def labelled(self, rows: NDArray[np.int64]) -> Labelled:
        """The labels of all rows; `rows` says which distinct row each is."""
        ranks = self._ranks()
        names = [c for c in self.columns.labels if c not in ranks.values()]
        names = [c for c in names if any(self.values[c])]
        names = names or [c for c in ranks.values() if any(self.values[c])][:1]
        if not names:
            return Labelled(np.full(len(rows), UNLABELLED))
        main = names[0]
        self._leave_out_blanks(names, ranks)
        self._join_epithet(names, ranks)
        plural = key_of(main).endswith(("labels", "tags", "finding", "findings"))
        tagged = key_of(main) in {"tags", "keywords"} and _are_tags(self.values[main])
        several = (
            [tuple(dict.fromkeys(cell.split())) for cell in self.values[main]]
            if tagged
            else labels_in(self.values[main], plural=plural)
        )
        if any(len(labels) > 1 for labels in several) or any(
            labels and labels[0] != cell
            for labels, cell in zip(several, self.values[main], strict=True)
        ):
            return self._lists(several, rows, main)
        return self._single(main, names, ranks, rows)

    def _ranks(self) -> dict[str, str]:
        """The columns that are ranks of a taxonomy; `class` only where it is one."""
        ranks = {k: c for k, c in self.columns.ranks.items() if any(self.values[c])}
        own = ranks.get("class")
        if own is None:
            return ranks
        wanted = self.hints.label_column
        words = {value.lower() for value in self.values[own] if value}
        living = len(words & known.CLASSES_OF_LIFE) * 2 > len(words)
        below = [c for c in ranks.values() if c != own and self._determines(c, own)]
        coarser = living or any(not self._determines(own, c) for c in below)
        named = any(c != own and any(self.values[c]) for c in self.columns.labels)
        is_rank = (named and (living or len(ranks) > 1)) or (bool(below) and coarser)
        if not is_rank or (wanted is not None and key_of(wanted) == key_of(own)):
            del ranks["class"]
        return ranks

    def _leave_out_blanks(self, names: Sequence[str], ranks: Mapping[str, str]) -> None:
        """No label where the name of a taxon says that a picture shows none: `Blank`."""
        taxa = {*known.COMMON, *known.SCIENTIFIC} | ({*map(key_of, names)} if ranks else set())
        found: dict[str, None] = {}
        for column in (column for column in names if key_of(column) in taxa):
            cells = self.values[column]
            found |= dict.fromkeys(c for c in cells if plain(c) in known.NO_SPECIES)
            self.values[column] = ["" if cell in found else cell for cell in cells]
        if found:
            self.doubts.append(
                f"{', '.join(map(repr, found))} was taken for pictures without a label, not for a"
                " class."
            )

    def _join_epithet(self, names: list[str], ranks: Mapping[str, str]) -> None:
        """A genus and an epithet, as two columns have them, as one scientific name."""
        genus = ranks.get("genus")
        for column in self.values:
            if genus is None or key_of(column) not in known.EPITHETS:
                continue
            joined = [
                f"{g} {e}" if g and e and re.fullmatch("[a-zë-]+", e) else e
                for g, e in zip(self.values[genus], self.values[column], strict=True)
            ]
            if joined != self.values[column]:
                self.values[column] = joined
                if column in names:
                    self.roles.append(Role(f"columns {genus} and {column}", "scientific name"))

    def _determines(self, one: str, other: str) -> bool:
        """Whether each value of a column goes with one value of another; blanks count for none."""
        found: dict[str, str] = {}
        pairs = zip(self.values[one], self.values[other], strict=True)
        return all(
            found.setdefault(plain(a), plain(b)) == plain(b) for a, b in pairs if a and b
        ) and bool(found)

    def _lists(
        self, several: list[tuple[str, ...]], rows: NDArray[np.int64], main: str
    ) -> Labelled:
        names = sorted({label for labels in several for label in labels}, key=natural)
        places = {name: place for place, name in enumerate(names)}
        first = np.array([places[labels[0]] if labels else UNLABELLED for labels in several])
        many = np.array([len(labels) > 1 for labels in several])
        example = next((labels for labels in several if len(labels) > 1), ())
        self.roles.append(Role(f"column {main}", "classes, several in a cell"))
        classes = ClassList(tuple(names)) if names else None
        return Labelled(first[rows], classes, many[rows], example, self.roles)

    def _single(
        self, main: str, names: list[str], ranks: Mapping[str, str], rows: NDArray[np.int64]
    ) -> Labelled:
        chosen = self.hints.label_column is not None
        ids: str | None = None
        others = [c for c in names if c != main]
        if not chosen and (are_codes(self.values[main]) or are_short(self.values[main])):
            named = self._names_of(main, others)
            if named is not None:
                ids, main = main, named
                self.roles.append(Role(f"column {ids}", "id of the class"))
        if not chosen and ids is None:
            main = self._finest(main, others)
        answered = self._answered(main, names)
        self.roles.insert(0, Role(f"column {main}", "class"))
        if answered != main:
            self.roles.insert(1, Role(f"column {answered}", "name that answers use"))
        groups, spelt = self._groups(main, answered)
        labels, classes = self._classes(groups, spelt, answered, ids, names, ranks)
        return Labelled(labels[rows], classes, roles=self.roles, doubts=self.doubts)

    def _names_of(self, codes: str, others: Sequence[str]) -> str | None:
        """The column whose words stand for the codes of another, one to one."""
        order = sorted(others, key=lambda c: key_of(c) not in known.COMMON)
        short = not are_codes(self.values[codes])
        for column in order:
            words = self.values[column]
            coded = are_nameless(words) if are_nameless(self.values[codes]) else are_codes(words)
            if coded or not any(words) or (short and are_short(words)):
                continue
            if self._determines(codes, column) and self._determines(column, codes):
                return column
        return None

    def _finest(self, main: str, others: Sequence[str]) -> str:
        """A breed within a species; a species where its common name is one of several."""
        for column in others:
            within = self._determines(column, main) and not self._determines(main, column)
            if key_of(column) in known.FINER and within:
                self.doubts.append(
                    f"Column {column} divides the classes of column {main} and is taken;"
                    f" --label-column {main} takes that one."
                )
                return column
        if key_of(main) not in known.COMMON:
            return main
        for column in others:
            scientific = key_of(column) in known.SCIENTIFIC
            if scientific and not self._determines(main, column):
                return column if self._determines(column, main) else main
        return main

    def _answered(self, main: str, names: Sequence[str]) -> str:
        """The column whose names are answered: the one asked for, or a common name."""
        for wanted in (self.hints.name_column or "").split(","):
            asked = [c for c in self.values if key_of(c) == key_of(wanted) and key_of(c)]
            if asked:
                return asked[0]
            break
        if self.hints.label_column is not None:
            return main
        latin = key_of(main) in known.SCIENTIFIC or all(
            _BINOMIAL.fullmatch(value) for value in self.values[main] if value
        )
        for column in names:
            if latin and key_of(column) in known.COMMON and self._determines(main, column):
                return column
        return main

    def _groups(self, main: str, answered: str) -> tuple[list[str], dict[str, Counter[str]]]:
        """A key for the class of each distinct row, and how often each key is spelt how."""
        cells = self.values[main]
        if answered != main:  # a row with one of two names is of the class that has both
            both = zip(self.values[answered], cells, strict=True)
            filled = {plain(other): own for other, own in both if own and other}
            pairs = zip(cells, self.values[answered], strict=True)
            cells = [own or filled.get(plain(other), other) for own, other in pairs]
        keys = [_key(cell) for cell in cells]
        spelt: dict[str, Counter[str]] = {}
        for key, cell, count in zip(keys, cells, self.counts.tolist(), strict=True):
            if key:
                spelt.setdefault(key, Counter())[cell] += count
        several = [sorted(c) for c in spelt.values() if len(c) > 1]
        if several:
            first = ", ".join(repr(s)[:60] for s in several[0])
            self.doubts.append(
                f"{len(several):,} class{'es are' if len(several) > 1 else ' is'} spelt in several"
                f" ways ({first}) and read as one."
            )
        return keys, spelt

    def _classes(
        self,
        keys: list[str],
        spelt: Mapping[str, Counter[str]],
        answered: str,
        ids: str | None,
        names: Sequence[str],
        ranks: Mapping[str, str],
    ) -> tuple[NDArray[np.int64], ClassList | None]:
        if not spelt:
            return np.full(len(keys), UNLABELLED), None
        own = {key: counter.most_common(1)[0][0] for key, counter in spelt.items()}
        own = {k: re.sub(r"\.0+$", "", v) if is_number(v) else v for k, v in own.items()}
        title = self._titles(keys, own, answered)
        order = sorted(own, key=lambda key: natural(title[key]))
        places = {key: place for place, key in enumerate(order)}
        classes = tuple(title[key] for key in order)
        lineages, levels = self._lineages(keys, order, ranks)
        listed = with_lineages(classes, lineages, levels)
        synonyms = self._synonyms(keys, title, answered, names, set(ranks.values()))
        if ids is not None:
            called = self._most(keys, ids)
            given = tuple(identity(called[key]) for key in order if key in called)
            if len(set(given)) == len(order):
                listed = replace(listed, ids=given)
        labels = np.array([places.get(key, UNLABELLED) for key in keys])
        asked = [key_of(c) for c in (self.hints.name_column or "").split(",") if c.strip()]
        silent = tuple(kind for kind in synonyms if asked and key_of(kind) not in asked)
        return labels, replace(listed, synonyms=synonyms, silent=silent)

    def _most(self, keys: list[str], column: str) -> dict[str, str]:
        """The value of a column that most rows of a class have, blanks aside."""
        found: dict[str, Counter[str]] = {}
        for key, value, count in zip(keys, self.values[column], self.counts.tolist(), strict=True):
            if key and value:
                found.setdefault(key, Counter())[value] += count
        return {key: counter.most_common(1)[0][0] for key, counter in found.items()}

    def _titles(self, keys: list[str], own: Mapping[str, str], answered: str) -> dict[str, str]:
        """What each class is called in answers: where two share a name, with their own in it."""
        asked = self._most(keys, answered)
        used = Counter(plain(asked.get(key, name)) for key, name in own.items())
        title = {}
        for key, name in own.items():
            called = asked.get(key, name)
            title[key] = called if used[plain(called)] == 1 else f"{called} ({name})"
            if plain(called) == plain(name):
                title[key] = name
        return title

    def _synonyms(
        self,
        keys: list[str],
        title: Mapping[str, str],
        answered: str,
        names: Sequence[str],
        ranks: set[str],
    ) -> dict[str, dict[str, str]]:
        """Other columns that name the same classes, by their names."""
        synonyms: dict[str, dict[str, str]] = {}
        for column in names:
            words = [value for value in self.values[column] if value]
            if column == answered or column in ranks or are_codes(words) or not words:
                continue
            called = self._most(keys, column)
            one_each = len({plain(name) for name in called.values()}) == len(called)
            differs = any(plain(name) != plain(title[key]) for key, name in called.items())
            if one_each and differs and self._one_name(keys, column):
                synonyms[column] = {title[key]: name for key, name in called.items()}
                if not any(role.part == f"column {column}" for role in self.roles):
                    self.roles.append(Role(f"column {column}", "other name of the class"))
        return synonyms

    def _one_name(self, keys: list[str], column: str) -> bool:
        """Whether each class has one value of a column."""
        found: dict[str, str] = {}
        pairs = zip(keys, self.values[column], strict=True)
        return all(found.setdefault(k, plain(v)) == plain(v) for k, v in pairs if k and v)

    def _lineages(
        self, keys: list[str], order: list[str], ranks: Mapping[str, str]
    ) -> tuple[list[list[str]], list[str]]:
        """The ancestors of each class, on the levels where each has one alone."""
        levels = [level for level in known.RANKS if level in ranks]
        levels = [level for level in levels if self._one_name(keys, ranks[level])]
        above = [self._most(keys, ranks[level]) for level in levels]
        for level in levels:
            self.roles.append(Role(f"column {ranks[level]}", "parent"))
        return [[found.get(key, "") for found in above] for key in order], levels


def _key(cell: str) -> str:
    """What spellings of one class have in common; single letters differ by case."""
    if is_number(cell):
        return identity(cell)
    return plain(cell) or cell if len(cell) > 2 else cell
