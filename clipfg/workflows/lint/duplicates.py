"""Images that are there twice, and whether they were told apart by split or label."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from clipfg.data.sources import read
from clipfg.embedding.near_copies import Hashes, find_near_copies
from clipfg.embedding.thumbnails import Thumbnails
from clipfg.errors import ItemError
from clipfg.types import content_hash, equal_rows
from clipfg.workflows.lint.findings import Level, LintData, LintFinding


@dataclass(frozen=True)
class _Pair:
    """Two rows that are one image, the second the one that is named beside the first."""

    data: LintData
    row: int
    other: int
    score: float
    told: str
    near: bool

    def leak(self) -> Iterator[LintFinding]:
        one, other = self.data.splits[self.row], self.data.splits[self.other]
        if None not in (one, other) and one != other:
            yield self._finding("leak", f"{one} and {other}, {self.told}")

    def contradiction(self) -> Iterator[LintFinding]:
        one, other = self.data.label(self.row), self.data.label(self.other)
        if one and other and one != other:
            yield self._finding("contradiction", f"{one!r} and {other!r}, {self.told}")

    def copy(self) -> LintFinding:
        return self._finding("copy", self.told)

    def _finding(self, kind: str, what: str) -> LintFinding:
        level: Level = "warning" if self.near or kind == "copy" else "error"
        one, other = self.data.pool.ids[self.row], self.data.pool.ids[self.other]
        return LintFinding(f"{'near-' * self.near}{kind}", level, one, what, other, self.score)


def groups_of_equals(features: Tensor) -> list[list[int]]:
    """Rows of the same feature, in order; most groups are of one row."""
    groups: dict[int, list[int]] = {}
    for row, origin in enumerate(equal_rows(features.numpy()).tolist()):
        groups.setdefault(origin, []).append(row)
    return list(groups.values())


def representatives(data: LintData, groups: list[list[int]]) -> Tensor:
    """A row of each group: one with a label if there is any, of those one in the train split."""
    best = [
        min(rows, key=lambda row: (data.label(row) == "", data.splits[row] != "train"))
        for rows in groups
    ]
    return torch.tensor(sorted(best), dtype=torch.long)


def copies(data: LintData, groups: list[list[int]]) -> Iterator[LintFinding]:
    """Rows whose feature another row has too.

    Splits are compared with a copy in the train split, else with the first copy in any; labels with
    that copy's, or with the first label there is where it has none. Where the bytes can be read and
    differ, the images look the same to the encoder and no more is claimed.
    """
    for rows in map(data.once_a_picture, groups):
        if len(rows) < 2:
            continue
        content = {row: _content(data.pool.uris[row]) for row in rows}

        def pair(row: int, other: int, content: dict[int, bytes | None] = content) -> _Pair:
            near = content[row] != content[other]
            told = "identical features" if near else "identical content"
            return _Pair(data, row, other, 1.0, told, near)

        placed = [row for row in rows if data.splits[row] is not None]
        anchor = next((row for row in placed if data.splits[row] == "train"), (placed or rows)[0])
        named = next((row for row in (anchor, *rows) if data.label(row)), anchor)
        for row in rows:
            found = [*pair(row, anchor).leak(), *pair(row, named).contradiction()]
            if not found and row != anchor:
                found.append(pair(row, anchor).copy())
            yield from found


def _content(uri: str) -> bytes | None:
    """A hash of the bytes at `uri`; None for features from a file, which have no image."""
    try:
        return content_hash(read(uri))
    except ItemError:
        return None


def near_copies(
    data: LintData,
    rows: Tensor,
    cosines: Tensor,
    neighbours: Tensor,
    hashes: Hashes,
    thumbnails: Thumbnails,
) -> Iterator[LintFinding]:
    """Pairs that are one image, cropped, resized, mirrored, written on or saved anew."""
    uris = [data.pool.uris[row] for row in rows.tolist()]
    for a, b, score, measure in find_near_copies(uris, cosines, neighbours, hashes, thumbnails):
        told = f"{measure} {score:.3f}"
        pair = _Pair(data, int(rows[b]), int(rows[a]), score, told, near=True)
        yield from [*pair.leak(), *pair.contradiction()] or [pair.copy()]
