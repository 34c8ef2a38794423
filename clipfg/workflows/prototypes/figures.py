"""A head of patch prototypes in figures."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from clipfg.encoders.preprocessing import Preprocessing
from clipfg.functional.regions import holds
from clipfg.heads import FeatureSets
from clipfg.heads.patch_prototypes import PatchPrototypes

SHOWING = 10
"""Images by which the purity of a prototype is measured, as in PIP-Net."""

Parts = list[tuple[str, Bool[Tensor, " p"]]]
"""Known parts of an image, the smallest first: names, and which patches have their centre there."""


@dataclass(frozen=True)
class Purity:
    """Of the places that show a prototype most, the share in the part that most of them lie in.

    `chance` is the same of random places in the same images. `parts` are names and shares by
    prototype.
    """

    mean: float
    chance: float
    parts: dict[int, tuple[str, float]]

    @classmethod
    def of(
        cls, head: PatchPrototypes, patches: FeatureSets, parts: list[Parts], seed: int = 0
    ) -> "Purity | None":
        """On images whose parts are known; None where they show no prototype in use."""
        scores, places = _peaks(head, patches)
        generator = torch.Generator().manual_seed(seed)
        found: dict[int, tuple[str, float]] = {}
        by_chance = []
        for number in head.used.nonzero().flatten().tolist():
            top, images = scores[:, number].topk(min(SHOWING, len(patches)))
            images = images[top > 0]
            if not len(images):
                continue
            sizes = patches.offsets.diff()[images]
            drawn = (torch.rand(len(images), generator=generator) * sizes).long()
            own, random = (
                [_part_at(parts[i], at) for i, at in zip(images.tolist(), each, strict=True)]
                for each in (places[images, number].tolist(), drawn.tolist())
            )
            found[number] = _commonest(own)
            by_chance.append(_commonest(random)[1])
        if not found:
            return None
        mean = float(np.mean([share for _, share in found.values()]))
        return cls(mean, float(np.mean(by_chance)), found)


def _peaks(head: PatchPrototypes, patches: FeatureSets) -> tuple[Tensor, Tensor]:
    blocks = [head.peaks(block) for block in patches.split(256)]
    return torch.cat([top for top, _ in blocks]), torch.cat([at for _, at in blocks])


def _part_at(parts: Parts, patch: int) -> str:
    """The smallest part that holds a patch; empty where none does."""
    return next((name for name, cells in parts if cells[patch]), "")


def _commonest(names: list[str]) -> tuple[str, float]:
    """The part of most places, and its share of all; places in no part count against it."""
    counts = Counter(name for name in names if name)
    name, count = counts.most_common(1)[0] if counts else ("", 0)
    return name, count / len(names)


def known_parts(
    regions: list[dict[str, Any]] | None,
    size: tuple[int, int],
    grid: tuple[int, int],
    preprocessing: Preprocessing,
) -> Parts:
    """The parts of an image of `size`, width and height, from its regions with phrases.

    A part is called by the last word of its phrase ("a black tufted centre").
    """
    rows, columns = preprocessing.frame(*size)
    named = [(str(one["phrase"]).split()[-1], one["box"]) for one in regions or () if one["phrase"]]
    if not named:
        return []
    boxes = torch.tensor([box for _, box in named], dtype=torch.float32)
    seen = preprocessing.map_boxes(boxes, *size) / torch.tensor([columns, rows] * 2)
    cells = holds(seen, grid)
    areas = (seen[:, 2:] - seen[:, :2]).prod(dim=1)
    order = areas.argsort().tolist()
    return [(named[at][0], cells[at]) for at in order]
