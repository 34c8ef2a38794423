"""What a search found, as a page of thumbnails."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from clipfg.data.images.thumbnails import thumbnail
from clipfg.errors import ItemError
from clipfg.pages.gallery import Tile, TileGroup, render_gallery
from clipfg.prompting.prompt_set import loose
from clipfg.workflows.retrieve.run import QueryHits, RetrieveRun
from clipfg.workflows.retrieve.search import SearchOptions
from clipfg.workflows.run_folder import default_folder

MOST_TILES = 1000
"""Images on a page, at most: some 8 KB each."""
AUTO = "auto"


def page_path(asked: str, run: RetrieveRun) -> Path:
    """Where the page goes: the file that was asked for, or a new one under `runs/`."""
    if asked != AUTO:
        return Path(asked).expanduser()
    folder = default_folder("retrieve", run.found[0].query.title, "")
    return folder.with_name(f"{folder.name}.html")


def write_page(run: RetrieveRun, wish: SearchOptions, path: Path) -> int:
    """Write the page; returns how many images on it could not be read."""
    shown = _shown(run.found)
    uris = dict.fromkeys(
        uri for found in shown for uri in (*found.query.photos, *(r["path"] for r in found.rows))
    )
    with ThreadPoolExecutor() as pool:
        images = dict(zip(uris, pool.map(_thumbnail, uris), strict=True))
    names = {loose(name): name for name in (run.store.classes.names if run.store.classes else ())}
    groups = [_group(found, images, names) for found in shown]
    left_out = len(run.rows) - sum(len(found.rows) for found in shown)
    missing = sum(image is None for image in images.values())
    notes = [
        "Scores are cosines with the query, or with the vector that texts, photos and negated"
        " phrases were composed to."
    ]
    if missing:
        notes.append(f"{missing:,} of the images could not be read: moved or deleted since.")
    if left_out:
        notes.append(f"{left_out:,} more hits are not shown.")
    title = run.found[0].query.title if len(run.found) == 1 else f"{len(run.found):,} queries"
    page = render_gallery(title, "", groups, facts=_facts(run, wish), notes=notes)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    return missing


def _shown(found: Sequence[QueryHits]) -> list[QueryHits]:
    """The first hits of every query, as many of each as fit."""
    each = max(1, MOST_TILES // len(found))
    return [QueryHits(one.query, one.rows[:each]) for one in found[:MOST_TILES]]


def _thumbnail(uri: str) -> bytes | None:
    try:
        return thumbnail(uri)
    except ItemError:
        return None


def _group(found: QueryHits, images: dict[str, bytes | None], names: dict[str, str]) -> TileGroup:
    """Hits of one query; where that is a class's name, right and wrong ones are told apart."""
    texts, photos = found.query.texts, found.query.photos
    wanted = names.get(loose(texts[0])) if len(texts) == 1 and not photos else None
    tiles = [Tile(images[uri], "the photo asked with", (Path(uri).name,)) for uri in photos]
    tiles += [_tile(row, images[row["path"]], wanted) for row in found.rows]
    return TileGroup(found.query.title, tuple(tiles), "" if found.rows else "Nothing was found.")


def _tile(row: dict[str, Any], image: bytes | None, wanted: str | None) -> Tile:
    file = Path(row["path"]).name
    lines = (f"cosine {row['score']:.3f}", *((row["split"],) if row["split"] else ()), file)
    title = f"{row['rank']}. {row['label'] or file}"
    if wanted is None or row["label"] is None:
        return Tile(image, title, lines)
    return Tile(image, title, lines, "good" if row["label"] == wanted else "bad")


def _facts(run: RetrieveRun, wish: SearchOptions) -> list[tuple[str, str]]:
    """What was searched and how; what was not asked for stays out."""
    return [
        ("searched", f"{len(run.store):,} images"),
        ("model", run.store.model),
        ("not", ", ".join(wish.negated)),
        ("where", ", ".join(wish.where)),
        ("near-duplicates", f"left out from cosine {wish.duplicate:g}" if wish.duplicate else ""),
        ("of each label", f"at most {wish.per_class}" if wish.per_class else ""),
    ]
