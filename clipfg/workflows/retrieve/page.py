"""What a search found, as a page of thumbnails."""

import logging
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from clipfg.atomic import finished
from clipfg.data.images.thumbnails import thumbnail
from clipfg.errors import ItemError
from clipfg.options import RetrieveOptions
from clipfg.pages.gallery import Tile, TileGroup, render_gallery
from clipfg.paths import expanded
from clipfg.prompting.prompt_set import loose
from clipfg.store import KeyStore
from clipfg.workflows.retrieve.search import QueryHits, kind_of
from clipfg.workflows.run_folder import default_folder

logger = logging.getLogger("clipfg")

MOST_TILES = 1000
"""Images on a page, at most: some 8 KB each."""
AUTO = "auto"

Part = tuple[str, tuple[float, ...] | None]
"""The URI of an image, and the box of the part that is shown, or None for all of it."""


def page_path(wanted: str, found: Sequence[QueryHits]) -> Path:
    """Where the page goes: the file of `--html`, or for `auto` a new one under `runs/`."""
    if wanted != AUTO:
        return expanded(wanted)
    folder = default_folder("retrieve", found[0].query.title, "")
    return folder.with_name(f"{folder.name}.html")


def write_page(
    path: Path,
    found: Sequence[QueryHits],
    store: KeyStore,
    options: RetrieveOptions,
    duplicate: float | None,
    remarks: Iterable[str] = (),
) -> None:
    """Write the page; images on it that cannot be read are counted in a warning."""
    each = max(1, MOST_TILES // len(found))
    shown = [QueryHits(one.query, one.rows[:each]) for one in found[:MOST_TILES]]
    parts: dict[Part, None] = {}
    for one in shown:
        parts |= dict.fromkeys((uri, None) for uri in one.query.photos)
        parts |= dict.fromkeys(map(_part, one.rows))
    with ThreadPoolExecutor() as pool:
        images = dict(zip(parts, pool.map(_thumbnail, parts), strict=True))
    names = {loose(name): name for name in (store.classes.names if store.classes else ())}
    groups = [_group(one, images, names) for one in shown]
    notes = [
        "Scores are cosines with the query, or with the vector that texts, photos and negated"
        " phrases were composed to"
        + (", on whitened directions." if options.metric == "whitened" else "."),
        *remarks,
    ]
    if missing := sum(image is None for image in images.values()):
        notes.append(f"{missing:,} images could not be read: they were moved or deleted.")
        logger.warning(f"{missing:,} images of the page could not be read.")
    if left_out := sum(len(one.rows) for one in found) - sum(len(one.rows) for one in shown):
        notes.append(f"{left_out:,} more hits are not shown.")
    title = found[0].query.title if len(found) == 1 else f"{len(found):,} queries"
    page = render_gallery(title, "", groups, facts=_facts(store, options, duplicate), notes=notes)
    with finished(path) as partial:
        partial.write_text(page, encoding="utf-8")


def _part(row: dict[str, Any]) -> Part:
    """What a hit shows: its image, and the box of it that the item is."""
    box = row.get("box")
    return row["path"], None if box is None else tuple(box)


def _thumbnail(part: Part) -> bytes | None:
    try:
        return thumbnail(part[0], box=part[1])
    except ItemError:
        return None


def _group(found: QueryHits, images: dict[Part, bytes | None], names: dict[str, str]) -> TileGroup:
    """Hits of one query; where that is a class's name, right and wrong ones are marked."""
    texts, photos = found.query.texts, found.query.photos
    wanted = names.get(loose(texts[0])) if len(texts) == 1 and not photos else None
    tiles = [Tile(images[uri, None], "the query's photo", (Path(uri).name,)) for uri in photos]
    tiles += [_tile(row, images[_part(row)], wanted) for row in found.rows]
    return TileGroup(found.query.title, tuple(tiles), "" if found.rows else "Nothing was found.")


def _tile(row: dict[str, Any], image: bytes | None, wanted: str | None) -> Tile:
    file = Path(row["path"]).name
    lines = (f"cosine {row['score']:.3f}", *((row["split"],) if row["split"] else ()), file)
    title = f"{row['rank']}. {row['label'] or file}"
    if wanted is None or row["label"] is None:
        return Tile(image, title, lines)
    return Tile(image, title, lines, "good" if row["label"] == wanted else "bad")


def _facts(
    store: KeyStore, options: RetrieveOptions, duplicate: float | None
) -> list[tuple[str, str]]:
    """What was searched and how; the page leaves out what is empty."""
    return [
        ("searched", f"{len(store):,} {kind_of(store.items)}"),
        ("model", store.model),
        ("metric", options.metric if options.metric != "cosine" else ""),
        ("not", ", ".join(options.negated)),
        ("where", ", ".join(options.where)),
        ("near-duplicates", f"left out from cosine {duplicate:g}" if duplicate else ""),
        ("per label", f"at most {options.per_class}" if options.per_class else ""),
    ]
