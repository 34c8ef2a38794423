"""What `clipfg lint` found, as images side by side."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Literal

from clipfg.errors import ItemError
from clipfg.pages.gallery import Tile, TileGroup, render_gallery
from clipfg.types import Manifest
from clipfg.workflows.lint.findings import KINDS, LintData, LintFinding

SHOWN = 24
"""Findings of a kind that the page shows; `findings.parquet` has them all."""


def render(manifest: Manifest, data: LintData | None, found: Sequence[LintFinding]) -> str:
    """The page: a group for each kind, each finding's images in one row."""
    groups = []
    for kind, title in KINDS.items():
        of_kind = [finding for finding in found if finding.kind == kind]
        if of_kind:
            heading = f"{len(of_kind):,} {title}" if len(of_kind) > 1 else f"1: {title}"
            note = f"The first {SHOWN}." if len(of_kind) > SHOWN else ""
            tiles = _Tiles(data).of(of_kind[:SHOWN])
            groups.append(TileGroup(heading, tuple(tiles), note))
    errors = sum(finding.level == "error" for finding in found)
    lead = f"{errors:,} errors and {len(found) - errors:,} warnings, in {len(manifest):,} images."
    return render_gallery(f"What is wrong with {manifest.name}?", lead, groups)


class _Tiles:
    """Thumbnails by id, or by class: then the first image of it stands for it."""

    def __init__(self, data: LintData | None) -> None:
        self._data = data
        self._rows: dict[str, int] = {}
        if data is not None:
            for row in reversed(range(len(data.pool))):
                self._rows[data.label(row)] = row
            self._rows |= {identity: row for row, identity in enumerate(data.pool.ids)}

    def of(self, found: Sequence[LintFinding]) -> Iterator[Tile]:
        """One or two tiles for each finding."""
        for finding in found:
            bad = finding.level == "error"
            yield self._tile(finding.id, finding.id, (finding.what,), bad)
            if finding.other is not None:
                title = f"a {finding.other}" if finding.kind == "label" else f"= {finding.other}"
                yield self._tile(finding.other, title, (), bad)

    def _tile(self, key: str, title: str, lines: tuple[str, ...], bad: bool) -> Tile:
        image, facts = None, ""
        row = self._rows.get(key)
        if row is not None and self._data is not None:
            with suppress(ItemError):  # features from a file, or an image that has gone
                image = self._data.pool.thumbnail(row)
            facts = " · ".join(x for x in (self._data.label(row), self._data.splits[row]) if x)
        tone: Literal["bad", "plain"] = "bad" if bad else "plain"
        return Tile(image, title, tuple(line for line in (*lines, facts) if line), tone)
