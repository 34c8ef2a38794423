"""Images side by side as one HTML page: what was found, and what is said of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

from clipfg.pages.html import footer, header, image_source, page, section

_CLASS = {"plain": "", "good": ' class="right"', "bad": ' class="wrong"'}


@dataclass(frozen=True)
class Tile:
    """An image with a title and lines under it.

    `image` holds the bytes of a JPEG, PNG or WebP; None leaves a gap where an image could not be
    read. `tone` colours its edge.
    """

    image: bytes | None
    title: str
    lines: tuple[str, ...] = ()
    tone: Literal["plain", "good", "bad"] = "plain"


@dataclass(frozen=True)
class TileGroup:
    """Tiles under a heading, with a sentence between the two."""

    title: str
    tiles: tuple[Tile, ...]
    note: str = ""


def render_gallery(
    title: str,
    lead: str,
    groups: Sequence[TileGroup],
    *,
    facts: Sequence[tuple[str, str]] = (),
    notes: Sequence[str] = (),
) -> str:
    """The page's text; it needs no server and loads nothing. Raises as `image_source` does."""
    sections = [section(group.title, _body(group)) for group in groups]
    return page(title, [header("clipfg", title, lead, facts), *sections, footer(notes)])


def _body(group: TileGroup) -> str:
    note = f'<p class="lead">{escape(group.note)}</p>' if group.note else ""
    return f'{note}<div class="grid">{"".join(map(_figure, group.tiles))}</div>'


def _figure(tile: Tile) -> str:
    image = '<div class="gap">no image</div>'
    if tile.image is not None:
        image = f'<img src="{image_source(tile.image)}" alt="{escape(tile.title)}">'
    lines = "".join(f"<span>{escape(line)}</span>" for line in tile.lines)
    return (
        f"<figure{_CLASS[tile.tone]}>{image}"
        f"<figcaption><b>{escape(tile.title)}</b>{lines}</figcaption></figure>"
    )
