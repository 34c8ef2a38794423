"""Searching for parts: keys of whole images, of grid regions, and of the parts' own boxes.

    python -m benchmarks.part_search [--flowers 400]

Drawn flowers whose part boxes and phrases are known, the built-in model. Each phrase that at least
ten of them have is a query: how many of the first ten hits have the part (P@10), and in how many of
those the centre of the hit's box lies in the part's. Intervals are by drawing phrases.
"""

import argparse
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipfg.data import synthflora
from clipfg.data.loading import load_dataset
from clipfg.embedding.framing import Framing
from clipfg.embedding.pipeline import collect
from clipfg.embedding.texts import embed_texts
from clipfg.encoders import load_encoder
from clipfg.evaluation.statistics.clustered import clustered_mean
from clipfg.functional.windows import GRID, Grid
from clipfg.types import Manifest
from clipfg.workflows.boxes import region_items

HITS = 10

GRIDS: dict[str, Grid] = {
    "1/2": ((1 / 2, 3),),
    "1/2 and 1/3": ((1 / 2, 3), (1 / 3, 5)),
    "1/2 and 1/4": GRID,
    "1/2, 1/3 and 1/5": ((1 / 2, 3), (1 / 3, 5), (1 / 5, 9)),
}

Parts = Mapping[str, list[list[float]]]
"""The boxes of a phrase's part, by the image's id."""


@dataclass(frozen=True)
class Keys:
    """What is searched: a unit-norm row an item, the image of each, and its box if it has one."""

    rows: NDArray[np.float32]
    images: list[str]
    boxes: list[list[float] | None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--flowers", type=int, default=400)
    count = parser.parse_args().flowers
    encoder = load_encoder("builtin:florette", precision="fp32")
    whole = load_dataset("synthflora").select("val", count)
    told = synthflora.with_regions(whole)
    parts: dict[str, dict[str, list[list[float]]]] = defaultdict(lambda: defaultdict(list))
    for id, regions in zip(told.ids, told.column("regions") or (), strict=True):
        for region in regions:
            parts[region["phrase"]][id].append(region["box"])
    queries = sorted(phrase for phrase, images in parts.items() if len(images) >= HITS)
    texts = embed_texts(queries, encoder, None)
    contents = {
        "whole images": (whole, None),
        **{
            f"a grid of {name}": (region_items(whole, grid), Framing("region"))
            for name, grid in GRIDS.items()
        },
        "the default as crops": (region_items(whole), Framing("tight")),
        "the parts' own boxes": (region_items(told), Framing("region")),
    }
    print(f"{count} flowers, {len(queries)} phrases that {HITS} or more of them have")
    print(f"  {'keys of':22} {'keys':>6}  P@{HITS}{'':17} in the part")
    for name, (data, framing) in contents.items():
        found = collect(data, encoder, None, framing=framing)
        keys = _keys(data, found.pooled, found.ids)
        scores = [
            score(keys, text, parts[query]) for query, text in zip(queries, texts, strict=True)
        ]
        has, inside = map(np.array, zip(*scores, strict=True))
        where = interval(inside) if framing else ""
        print(f"  {name:22} {len(keys.rows):6}  {interval(has)}  {where}")
    share = np.array([len(parts[query]) / count for query in queries])
    print(f"  {'chance':22} {'':6}  {interval(share)}")


def _keys(data: Manifest, rows: NDArray[np.float32], ids: tuple[str, ...]) -> Keys:
    place = {id: row for row, id in enumerate(data.ids)}
    kept = [place[id] for id in ids]
    parents, boxes = data.column("parent") or data.ids, data.column("box") or [None] * len(data)
    return Keys(rows, [parents[row] for row in kept], [boxes[row] for row in kept])


def score(keys: Keys, text: NDArray[np.float32], truth: Parts) -> tuple[float, float]:
    """The shares of the first hits, one an image, that have the part, and that lie in it."""
    has: list[bool] = []
    inside: list[bool] = []
    seen: set[str] = set()
    for row in np.argsort(-(keys.rows @ text), kind="stable"):
        image, box = keys.images[row], keys.boxes[row]
        if image in seen:
            continue
        seen.add(image)
        has.append(image in truth)
        inside.append(
            box is not None and any(_centre_in(box, part) for part in truth.get(image, ()))
        )
        if len(has) == HITS:
            break
    return float(np.mean(has)), float(np.mean(inside))


def _centre_in(box: list[float], part: list[float]) -> bool:
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return part[0] <= x < part[2] and part[1] <= y < part[3]


def interval(values: NDArray[np.float64]) -> str:
    """The mean in percent with its bootstrap interval of 95 % over queries."""
    mean = clustered_mean(values, [f"{query:09}" for query in range(len(values))])
    return f"{mean.value:6.1%} ({mean.low:.1%} to {mean.high:.1%})"


if __name__ == "__main__":
    main()
