"""Do patch prototypes gain by a second resolution? `python -m benchmarks.prototype_tiles`

Heads are fitted on the patches of whole images, and on those together with the patches of their
four quarters, which show all at twice the size; a prototype is present where either shows it. On
drawn flowers (every fourth species, not those of `benchmarks.prototypes`): training images to learn
from, validation images to measure on.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import numpy as np
import platformdirs
import torch
from torch import Tensor

from benchmarks.prototypes import embedded, points
from clipfg.data import synthflora
from clipfg.embedding.cache import EmbeddingCache
from clipfg.embedding.pipeline import PATCHES, WHOLE, collect
from clipfg.embedding.views import VIEWS, ViewItems, Views
from clipfg.encoders import Encoder, load_encoder
from clipfg.evaluation.statistics.repeated import accuracy_over, difference_over
from clipfg.heads import FeatureSets
from clipfg.heads.patch_prototypes import PatchPrototypes
from clipfg.types import Manifest
from clipfg.workflows.protocol.support_sets import Shots, draw_supports


def with_tiles(
    own: FeatureSets, manifest: Manifest, encoder: Encoder, cache: EmbeddingCache
) -> FeatureSets:
    """The patches of images, and after them those of their quarters.

    Grids are left out, as there are several in an image, and further views, which show no quarters.
    """
    names = VIEWS["tiles"]
    items = ViewItems(manifest, Views(names, names, names, ""), print)
    tiles = collect(items.items(), encoder, cache, framing=WHOLE, dense=PATCHES).patches
    assert tiles is not None
    count, width = len(own), own.rows.shape[1]
    finer = torch.from_numpy(tiles.values).float().view(count, -1, width)
    rows = torch.cat([own.rows.view(count, -1, width), finer], dim=1)
    return FeatureSets(rows.flatten(0, 1), torch.arange(count + 1) * rows.shape[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="builtin:florette")
    parser.add_argument("--shots", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--every", type=int, default=4, help="use every N-th species of flowers")
    parser.add_argument("--cache-dir", type=Path, default=platformdirs.user_cache_dir("clipfg"))
    given = parser.parse_args()
    encoder = load_encoder(given.model, precision="fp32", device="cpu")
    cache = EmbeddingCache(Path(given.cache_dir))
    manifest = synthflora.load()
    kept = np.unique(manifest.labels)[1 :: given.every]
    sets: dict[str, tuple[FeatureSets, FeatureSets]] = {}
    labels: dict[str, Tensor] = {}
    for split in ("train", "val"):
        part = manifest.select(split)
        part = replace(part, table=part.table.filter(np.isin(part.labels, kept)))
        if split == "train":
            draws = draw_supports(part.labels, tuple(range(given.seeds)))
            needed = draws.ever((Shots(given.shots),))
            part, draws = replace(part, table=part.table.take(needed)), draws.keep(needed)
        own, found = embedded(part, encoder, cache, views=split == "train")
        sets[split] = own, with_tiles(own, part, encoder, cache)
        labels[split] = torch.from_numpy(np.searchsorted(kept, found.numpy()))
    hits = []
    for at, name in enumerate(("whole images", "and quarters")):
        right, seconds = [], []
        for seed in range(given.seeds):
            rows = torch.from_numpy(draws.rows(seed, Shots(given.shots)))
            started = perf_counter()
            head = PatchPrototypes(seed=seed).fit(sets["train"][at][rows], labels["train"][rows])
            seconds.append(perf_counter() - started)
            answers = head.logits(sets["val"][at]).argmax(dim=1)
            right.append((answers == labels["val"]).numpy())
        hits.append(np.stack(right))
        top = accuracy_over(hits[-1])
        print(
            f"{name}: {top.value:.1%} ({top.low:.1%} to {top.high:.1%}) of {len(answers)}"
            f" validation images, {given.shots} shots, {np.mean(seconds):.0f} s to fit",
            flush=True,
        )
    print(f"difference {points(difference_over(*hits).estimate)} points")


if __name__ == "__main__":
    main()
