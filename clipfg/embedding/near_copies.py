"""Near copies: pairs that an encoder or a perceptual hash finds alike, looked at pixel by pixel."""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from clipfg.embedding.framing import Frame
from clipfg.embedding.pipeline import default_workers
from clipfg.embedding.thumbnails import Thumbnails
from clipfg.quality.duplicates import DuplicatePairs, near_pairs
from clipfg.quality.image_similarity import Sketch, likeness
from clipfg.quality.perceptual_hash import close_pairs

logger = logging.getLogger("clipfg")

SAME = 0.95
"""The likeness from which two images are one (docs/lint.md)."""
NEAR = 0.97
"""The cosine that has to do where there are no pixels, for features from a file."""
PAIRS = 2_000
"""Pairs looked at from each source at least, and one more for every ten images."""
BLOCK = 1_000
"""Pairs after which it is decided whether to go on: while at least one in `RARE` was a copy."""
RARE = 100

Hashes = Mapping[str, tuple[np.uint64, np.uint64]]
"""The perceptual hash of each picture and of its mirror image, by its URI."""
Found = tuple[int, int, float, str]


def find_near_copies(
    uris: list[str],
    cosines: Tensor,
    neighbours: Tensor,
    hashes: Hashes | None = None,
    thumbnails: Thumbnails | None = None,
    least: int | None = None,
    frames: Sequence[Frame | None] | None = None,
) -> Iterator[Found]:
    """Positions of two images, how alike they are and by what measure, the most alike first.

    Parts of one picture, which share its URI, are no copies of one another. Without `hashes`,
    cosines alone say which pairs are looked at. `least` is how many are at least, from each source;
    None for `PAIRS` and one more for every ten images. With `frames`, items are these parts of
    their pictures, and those are looked at.

    Cosines differ between encoders by too much for one threshold: of lit-birds, a crop of 90 % of
    each side lies at 0.78 to 0.98 of its original, and other birds at up to 0.95; and an encoder
    may take no notice of what makes two images one (grey copies). So the pairs most alike by cosine
    and by hash are candidates, and pixels decide, as long as they find copies.
    """
    pictures = torch.tensor([*map({uri: i for i, uri in enumerate(uris)}.__getitem__, uris)])
    thumbnails = thumbnails or Thumbnails()
    least = PAIRS + len(uris) // 10 if least is None else least
    by_cosine = near_pairs(cosines, neighbours, 0.0)
    by_hash = _by_hash(uris, hashes or {})
    sources = {"cosine": _apart(by_cosine, pictures), "perceptual hash": by_hash}
    found: dict[tuple[int, int], Found] = {}
    for source, pairs in sources.items():
        looked, before = 0, len(found)
        for block in _blocks(pairs, min(BLOCK, least)):
            looked += len(block)
            unseen = [pair for pair in block if pair[:2] not in found]
            rows = {row for pair in unseen for row in pair[:2]}
            new = _looked_at(unseen, _sketches(rows, uris, frames, thumbnails))
            found |= {one[:2]: one for one in new}
            known = sum(pair[:2] in found for pair in block)
            if looked >= least and known * RARE < len(block):
                break
        if total := len(pairs.first):
            logger.info(
                f"Near copies: {len(found) - before:,} by {source}, among the {looked:,} most alike"
                f" of {total:,} pairs"
            )
    yield from sorted(found.values(), key=lambda pair: -pair[2])


def _apart(pairs: DuplicatePairs, pictures: Tensor) -> DuplicatePairs:
    """Pairs of two pictures."""
    kept = pictures[pairs.first] != pictures[pairs.second]
    return DuplicatePairs(*(part[kept] for part in pairs))


def _by_hash(uris: list[str], hashes: Hashes) -> DuplicatePairs:
    """Pairs of close hashes, a picture for its first row."""
    rows = {uri: row for row, uri in reversed(list(enumerate(uris))) if uri in hashes}
    own, mirrored = (np.array([hashes[uri][i] for uri in rows], np.uint64) for i in (0, 1))
    pairs = close_pairs(own, mirrored)
    place = torch.tensor(list(rows.values()), dtype=torch.long)
    first, second = place[pairs.first], place[pairs.second]
    return DuplicatePairs(torch.minimum(first, second), torch.maximum(first, second), pairs[2])


def _blocks(pairs: DuplicatePairs, size: int) -> Iterator[list[tuple[int, int, float]]]:
    for start in range(0, len(pairs.first), size):
        parts = (part[start : start + size].tolist() for part in pairs)
        yield list(zip(*parts, strict=True))


def _sketches(
    rows: Collection[int],
    uris: Sequence[str],
    frames: Sequence[Frame | None] | None,
    thumbnails: Thumbnails,
) -> dict[int, Sketch]:
    """Of each row whose picture can be read."""
    if frames is not None:
        parts = thumbnails.of_parts((uris[row], frames[row]) for row in rows)
        own = {row: parts.get((uris[row], frames[row])) for row in rows}
    else:
        found = dict(thumbnails.of([uris[row] for row in rows]))
        own = {row: small.grey if (small := found[uris[row]]) else None for row in rows}
    return {row: grey for row, grey in own.items() if grey is not None}


def _looked_at(pairs: list[tuple[int, int, float]], sketches: Mapping[int, Sketch]) -> list[Found]:
    """Those pairs that are one image."""

    def judge(pair: tuple[int, int, float]) -> Found | None:
        a, b, similarity = pair
        one, other = (sketches.get(row) for row in (a, b))
        if one is None or other is None:
            return (a, b, min(similarity, 1.0), "cosine") if similarity >= NEAR else None
        alike = likeness(one, other)
        return (a, b, min(alike, 1.0), "pixel correlation") if alike >= SAME else None

    with ThreadPoolExecutor(default_workers()) as pool:
        return [found for found in pool.map(judge, pairs) if found is not None]
