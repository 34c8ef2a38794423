"""Images side by side as one HTML page, with what was found about each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from clipfg.pages.rendering import render


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
    """The page's text; facts without a value are left out. Raises as `image_source` does."""
    context = {"title": title, "lead": lead, "groups": groups, "facts": facts, "notes": notes}
    return render("gallery.html", kicker="clipfg", **context)
