"""Pictures that show little: dark, washed out, blurred, of one colour, or a strip; by a thumbnail.

The thresholds were chosen on every second species of cub100 and every second picture of Flickr8k;
docs/benchmarks/lint.md has what they find elsewhere.
"""

from collections.abc import Iterator

import numpy as np

from clipfg.quality.image_similarity import Sketch

DARK = 100
"""Grey level that all but 1 % of the pixels stay below."""
WASHED_OUT = 130
"""Grey level that all but 5 % of the pixels lie above."""
UNIFORM = 16
"""Grey levels between which 98 % of the pixels lie."""
BLURRED = 0.32
"""The sharpest edges (99th percentile of the Laplacian) as a share of the range of grey levels."""
STRIP = 3.0
"""How many times as long as the other a side is."""


def picture_faults(image: Sketch, width: int, height: int) -> Iterator[tuple[str, float, str]]:
    """The kind of each fault, how bad it is (the larger, the worse), and what was measured.

    `image` is a sketch of the whole picture, `width` and `height` are those of the picture itself.
    A picture that is dark, washed out or of one colour is not called blurred too.
    """
    low, dim, high = np.percentile(image, [1, 5, 99]).tolist()
    spread = high - low
    if spread < UNIFORM:
        yield "uniform", UNIFORM - spread, f"98 % of pixels within {spread:.0f} of 255 grey levels"
    elif high < DARK:
        yield "dark", DARK - high, f"99 % of pixels below grey level {high:.0f} of 255"
    elif dim > WASHED_OUT:
        yield "washed-out", dim - WASHED_OUT, f"95 % of pixels above grey level {dim:.0f} of 255"
    elif (edges := sharpest_edges(image) / spread) < BLURRED:
        yield (
            "blurred",
            BLURRED - edges,
            f"sharpest edges are {edges:.2f} of the grey levels' range",
        )
    longer = max(width, height) / min(width, height)
    if longer >= STRIP:
        yield "strip", longer, f"{width:,} x {height:,} pixels"


def sharpest_edges(image: Sketch) -> float:
    """The 99th percentile of the Laplacian's magnitude, in grey levels."""
    x = image.astype(np.float32)
    inner = x[1:-1, 1:-1]
    laplacian = 4 * inner - x[:-2, 1:-1] - x[2:, 1:-1] - x[1:-1, :-2] - x[1:-1, 2:]
    return float(np.quantile(np.abs(laplacian), 0.99))
