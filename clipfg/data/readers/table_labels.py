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

import re
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
from clipfg.data.readers.folder_words import UNSORTED
from clipfg.data.readers.labelled import Labelled
from clipfg.data.readers.labels import natural, numbered, plain, readable_names
from clipfg.data.readers.one_hot import one_hot_labels
from clipfg.data.readers.table_cells import (
    MAY_BE_NAMES,
    Values,
    are_tags,
    distinct_rows,
    joined,
    labels_in,
)
from clipfg.data.readers.table_classes import TableClasses
from clipfg.data.readers.table_columns import TableColumns
from clipfg.types import UNLABELLED, ClassList, Hints, Role

_BINOMIAL = re.compile(r"[A-Z][a-zë-]+ [a-zë-]{3,}( .*)?")


def label_rows(table: pa.Table, columns: TableColumns, hints: Hints) -> Labelled:
    """The labels of a table's rows; its columns have the table's own names."""
    if columns.one_hot:
        return one_hot_labels(table, columns.one_hot)
    names = [c for c in (*columns.labels, *columns.ranks.values()) if c in table.column_names]
    if not names:
        return Labelled(np.full(table.num_rows, UNLABELLED))
    values, rows = distinct_rows(table, list(dict.fromkeys(names)))
    counts = np.bincount(rows, minlength=len(next(iter(values.values()), [])))
    labelled = _Naming(values, counts, columns, hints).labelled(rows)
    given = {*pc.unique(table[names[0]].combine_chunks()).to_pylist()}
    if nothing := sorted(given & MAY_BE_NAMES) if labelled.classes else []:
        labelled.doubts.append(_no_label(nothing))
    return labelled


def _no_label(words: Sequence[str]) -> str:
    shown = ", ".join(map(repr, words))
    were = "were" if len(words) > 1 else "was"
    return f"{shown} {were} taken for pictures without a label, not for a class."


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
        tagged = key_of(main) in {"tags", "keywords"} and are_tags(self.values[main])
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
        if cell := joined(self.values[main]):
            self.doubts.append(
                f"Cells of column {main} such as {cell!r:.60} begin with what is a class by itself,"
                " and are taken for one name; put ; between several labels."
            )
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
        """No label where a cell says that nobody gave one (`unlabeled`), or a taxon that a picture
        shows none (`Blank`).
        """
        taxa = {*known.COMMON, *known.SCIENTIFIC} | ({*map(key_of, names)} if ranks else set())
        found: dict[str, None] = {}
        for column in names:
            cells = self.values[column]
            none = UNSORTED | known.NO_SPECIES if key_of(column) in taxa else UNSORTED
            found |= dict.fromkeys(c for c in cells if plain(c) in none)
            if all(map(is_number, filter(None, cells))) and "0" in map(identity, cells):
                found |= dict.fromkeys(c for c in cells if c in {"-1", "-1.0"})
            self.values[column] = ["" if cell in found else cell for cell in cells]
        if found:
            self.doubts.append(_no_label([*found]))

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
        groups = TableClasses.of(self.values, self.counts, main, answered)
        if groups.doubt:
            self.doubts.append(groups.doubt)
        labels, classes = self._classes(groups, answered, ids, names, ranks)
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

    def _classes(
        self,
        groups: TableClasses,
        answered: str,
        ids: str | None,
        names: Sequence[str],
        ranks: Mapping[str, str],
    ) -> tuple[NDArray[np.int64], ClassList | None]:
        if not groups.spelt:
            return np.full(len(groups.keys), UNLABELLED), None
        own = {key: counter.most_common(1)[0][0] for key, counter in groups.spelt.items()}
        own = {k: re.sub(r"\.0+$", "", v) if is_number(v) else v for k, v in own.items()}
        title = groups.titles(own, answered)
        if numbered([*title.values()]):  # 001.Blue_Jay, as a folder may be called
            title = dict(zip(title, readable_names([*title.values()]), strict=True))
        order = sorted(own, key=lambda key: natural(title[key]))
        places = {key: place for place, key in enumerate(order)}
        classes = tuple(title[key] for key in order)
        lineages, levels = groups.lineages(order, ranks)
        self.roles += [Role(f"column {ranks[level]}", "parent") for level in levels]
        listed = with_lineages(classes, lineages, levels)
        others = [c for c in names if c != answered and c not in ranks.values()]
        synonyms = groups.synonyms(others, title)
        told = {role.part for role in self.roles}
        parts = [f"column {column}" for column in synonyms]
        self.roles += [Role(part, "other name of the class") for part in parts if part not in told]
        if ids is not None:
            called = groups.most(ids)
            given = tuple(identity(called[key]) for key in order if key in called)
            if len(set(given)) == len(order):
                listed = replace(listed, ids=given)
        labels = np.array([places.get(key, UNLABELLED) for key in groups.keys])
        asked = [key_of(c) for c in (self.hints.name_column or "").split(",") if c.strip()]
        silent = tuple(kind for kind in synonyms if asked and key_of(kind) not in asked)
        return labels, replace(listed, synonyms=synonyms, silent=silent)
