"""Near copies: the pairs that an encoder finds most alike, looked at pixel by pixel."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import torch
from PIL import Image
from torch import Tensor

from clipfg.data.images.decoding import decode
from clipfg.data.sources import read
from clipfg.embedding.pipeline import default_workers
from clipfg.errors import ItemError
from clipfg.quality.duplicates import near_pairs
from clipfg.quality.image_similarity import SKETCH, likeness, sketch

SAME = 0.95
"""The likeness from which two images are one (docs/lint.md)."""
NEAR = 0.97
"""The cosine that has to do where there are no pixels, for features from a file."""
PAIRS = 2_000
"""Pairs looked at, and one more for every ten images."""


def find_near_copies(
    uris: list[str], cosines: Tensor, neighbours: Tensor
) -> Iterator[tuple[int, int, float, str]]:
    """Positions of two images, how alike they are and by what measure, the most alike first.

    Parts of one picture, which share its URI, are no copies of one another.

    Cosines differ between encoders by too much for one threshold: of lit-birds, a crop of 90 % of
    each side lies at 0.78 to 0.98 of its original, and other birds at up to 0.95. So the pairs with
    the highest cosines are candidates, and pixels decide.
    """
    pairs = near_pairs(cosines, neighbours, 0.0)
    most = PAIRS + len(uris) // 10
    pictures = torch.tensor([*map({uri: i for i, uri in enumerate(uris)}.__getitem__, uris)])
    apart = pictures[pairs[0]] != pictures[pairs[1]]
    firsts, seconds, values = (part[apart][:most].tolist() for part in pairs)
    rows = torch.unique(torch.tensor(firsts + seconds)).tolist()
    with ThreadPoolExecutor(default_workers()) as pool:
        sketches = dict(zip(rows, pool.map(_sketch, (uris[row] for row in rows)), strict=True))
    found = []
    for a, b, cosine in zip(firsts, seconds, values, strict=True):
        one, other = sketches[a], sketches[b]
        if one is None or other is None:
            if cosine >= NEAR:
                found.append((a, b, min(cosine, 1.0), "cosine"))
        elif (alike := likeness(one, other)) >= SAME:
            found.append((a, b, min(alike, 1.0), "pixel correlation"))
    yield from sorted(found, key=lambda pair: -pair[2])


def _sketch(uri: str) -> Image.Image | None:
    """None for features from a file, and an image that has gone."""
    try:
        return sketch(decode(read(uri), lambda width, height: (SKETCH, SKETCH)))  # noqa: ARG005
    except ItemError:
        return None
