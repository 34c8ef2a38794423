"""A small grey copy of every picture, read once and kept by content."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from clipfg.data.images.decoding import decode, full_size
from clipfg.data.sources import read
from clipfg.embedding.cache import EmbeddingCache
from clipfg.embedding.content_hash import contents_of
from clipfg.embedding.framing import Frame
from clipfg.embedding.image_loader import shown, target_of
from clipfg.embedding.pipeline import default_workers
from clipfg.errors import ItemError
from clipfg.quality.image_similarity import SKETCH, Sketch, sketch
from clipfg.types import Progress

NAME = "thumbnails"
VERSION = "thumbnails-1"
"""What the cache knows them by, in the place of an encoder; changes with how they are made."""
BLOCK = 1024


Part = tuple[str, Frame | None]
"""A picture's URI, and the part of it that an item is."""


@dataclass(frozen=True)
class Thumbnail:
    """The sketch of a picture, and the size of the picture itself."""

    grey: Sketch
    width: int
    height: int


@dataclass(frozen=True)
class Thumbnails:
    """Reads pictures as thumbnails; 4 KB each are kept in the cache, where there is one."""

    cache: EmbeddingCache | None = None
    workers: int | None = None

    def of(
        self, uris: Sequence[str], progress: Progress | None = None
    ) -> Iterator[tuple[str, Thumbnail | None]]:
        """Each URI once with its thumbnail; None for features from a file and what has gone."""
        wanted = list(dict.fromkeys(uris))
        for start in range(0, len(wanted), BLOCK):
            block = wanted[start : start + BLOCK]
            yield from zip(block, self._block(block), strict=True)
            if progress is not None:
                progress(min(start + BLOCK, len(wanted)), len(wanted))

    def of_parts(self, parts: Iterable[Part]) -> dict[Part, Sketch]:
        """The sketches of parts of pictures, which are not kept; none of what cannot be read."""
        wanted = list(dict.fromkeys(parts))
        with ThreadPoolExecutor(self.workers or default_workers()) as pool:
            found = zip(wanted, pool.map(_read_part, wanted), strict=True)
            return {part: grey for part, grey in found if grey is not None}

    def _block(self, uris: list[str]) -> list[Thumbnail | None]:
        if self.cache is None:
            return [*map(_unpack, self._made(uris))]
        contents = contents_of(uris, self.cache)
        kept = self.cache.get("patches", VERSION, list(contents.values()))
        new = [uri for uri in contents if contents[uri] not in kept]
        made = zip(new, self._made(new), strict=True)
        rows = {contents[uri]: row for uri, row in made if row is not None}
        self.cache.put("patches", VERSION, NAME, rows)
        rows |= kept
        return [_unpack(rows.get(contents.get(uri, b""))) for uri in uris]

    def _made(self, uris: list[str]) -> list[NDArray[np.uint8] | None]:
        with ThreadPoolExecutor(self.workers or default_workers()) as pool:
            return [*pool.map(_read, uris)]


def _read(uri: str) -> NDArray[np.uint8] | None:
    """The sketch and the two sides as bytes; None for what cannot be read."""
    try:
        image = decode(read(uri), lambda width, height: (SKETCH, SKETCH))  # noqa: ARG005
    except ItemError:
        return None
    sides = np.array(full_size(image), dtype="<u4").view(np.uint8)
    return np.concatenate([sketch(image).ravel(), sides])


def _read_part(part: Part) -> Sketch | None:
    from clipfg.encoders.preprocessing import Preprocessing

    uri, frame = part
    small = Preprocessing((SKETCH, SKETCH), resize="squash", interpolation="box")
    try:
        image = decode(read(uri), partial(target_of, small, [frame]), cut=frame is None)
        pixels = shown(image, frame, None, small).pixels
    except ItemError:
        return None
    return sketch(Image.fromarray(pixels.permute(1, 2, 0).numpy()))


def _unpack(row: NDArray[np.uint8] | None) -> Thumbnail | None:
    if row is None:
        return None
    width, height = row[SKETCH * SKETCH :].view("<u4").tolist()
    return Thumbnail(row[: SKETCH * SKETCH].reshape(SKETCH, SKETCH), width, height)
