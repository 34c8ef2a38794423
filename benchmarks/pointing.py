"""Do patch features know where things are? Measures for maps of parts whose places are known."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from clipfg.evaluation.statistics.intervals import draw_weights, percentile_interval
from clipfg.functional.regions import coverage


@dataclass(frozen=True)
class Part:
    """A thing in an image that a text names: its boxes `[r, 4]` in fractions of the sides."""

    image: int
    text: str
    kind: str
    boxes: Tensor


@dataclass
class Score:
    """Values with the image that each belongs to, and what chance gives."""

    values: list[float] = field(default_factory=list)
    chance: list[float] = field(default_factory=list)
    images: list[int] = field(default_factory=list)

    def add(self, image: int, value: float, chance: float) -> None:
        """One more part."""
        self.values.append(value)
        self.chance.append(chance)
        self.images.append(image)

    def __str__(self) -> str:
        """Mean in %, its 95% interval by drawing images, and the mean of chance."""
        _, place = np.unique(self.images, return_inverse=True)
        sums, counts = np.bincount(place, self.values), np.bincount(place).astype(float)
        mean = sums.sum() / counts.sum()
        weights = np.concatenate(list(draw_weights(len(counts), 1000, 0)))
        low, high = percentile_interval((weights @ sums) / (weights @ counts), mean)
        return (
            f"{100 * mean:5.1f} ({100 * low:4.1f} to {100 * high:5.1f},"
            f" chance {100 * np.mean(self.chance):4.1f})"
        )


def inside(boxes: Tensor, grid: tuple[int, int]) -> NDArray[np.bool_]:
    """Which cells of a grid have their centre in any of some boxes `[p]`."""
    rows, columns = grid
    y, x = torch.meshgrid(
        (torch.arange(rows) + 0.5) / rows, (torch.arange(columns) + 0.5) / columns, indexing="ij"
    )
    x, y = x.flatten(), y.flatten()
    x0, y0, x1, y1 = boxes.T[..., None]
    found: NDArray[np.bool_] = ((x >= x0) & (x <= x1) & (y >= y0) & (y <= y1)).any(dim=0).numpy()
    return found


def measure(
    patches: Tensor, grid: tuple[int, int], texts: dict[str, Tensor], parts: Sequence[Part]
) -> dict[str, Score]:
    """The pointing game, mass inside the box, and naming of regions, of maps `[n, p, d]`.

    - pointing: the patch most similar to the text has its centre in a box of the part;
    - mass: of the map inside, when its lowest value is 0 and all sum to 1; chance: a uniform map;
    - naming: the mean of the patches under a box is most similar to its own text of all texts;
    - kind: the same, where any text of the right kind of part counts.
    """
    scores = {name: Score() for name in ("pointing", "mass", "naming", "kind")}
    unit = functional.normalize(patches, dim=-1)
    vocabulary = list(texts)
    matrix = torch.stack([texts[text] for text in vocabulary])
    kind_of = {part.text: part.kind for part in parts}
    shares = {k: np.mean([kind_of[t] == k for t in vocabulary]) for k in set(kind_of.values())}
    for part in parts:
        area = inside(part.boxes, grid)
        if not area.any():  # smaller than a cell and between the centres
            continue
        map_ = (unit[part.image] @ texts[part.text]).numpy()
        scores["pointing"].add(part.image, float(area[map_.argmax()]), float(area.mean()))
        mass = (map_ - map_.min()) / (map_ - map_.min()).sum()
        scores["mass"].add(part.image, float(mass[area].sum()), float(area.mean()))
        region = functional.normalize(coverage(part.boxes, grid) @ patches[part.image], dim=-1)
        for best in (region @ matrix.T).argmax(dim=1).tolist():
            named = vocabulary[best]
            scores["naming"].add(part.image, float(named == part.text), 1 / len(vocabulary))
            right = kind_of[named] == part.kind
            scores["kind"].add(part.image, float(right), float(shares[part.kind]))
    return scores
