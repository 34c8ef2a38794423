"""synthflora: 200 species of drawn flowers, for trying every method with no download.

The images are drawn on demand from numbers alone. Sixty species are "unseen": models trained with
`clipfg.training.florette.train` never saw their combination of attributes. A class is named as in a
field guide and carries texts that spell out all attributes; the prompt set `synthflora` uses them.
"""

import io
import re
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from clipfg.data.sources import ByteSource
from clipfg.data.synthflora.captions import descriptions, long_caption, phrase
from clipfg.data.synthflora.drawing import draw
from clipfg.data.synthflora.flower import PLANTS, SPLITS, VIEWS, Flower, flower_at
from clipfg.data.synthflora.plant import grow
from clipfg.data.synthflora.taxonomy import species
from clipfg.errors import DataError
from clipfg.types import COLUMNS, ClassList, Manifest

GENERATOR_VERSION = 1
"""Incremented whenever a change alters any image; caches of features key on it."""

IMAGE_SIZE = 96
"""Side of the data set's images, in pixels."""

CAPTIONED = {"train": (1000, 5000), "val": (5000, 5500), "test": (0, 1000)}
"""Which flowers of free combinations have captions in `load_captions`; `load_free` begins at 0."""

_REACH = (-1.0, -1.0, 1.0, 1.0)  # pixels: outlines and the reduction extend a part's polygon


def classes() -> ClassList:
    """The 200 species as a class list with genera, families and descriptive texts."""
    texts = {s.name: descriptions(s.traits) for s in species()}
    parents = {s.name: s.genus for s in species()} | {s.genus: s.family for s in species()}
    return ClassList(tuple(texts), parents, texts, levels=("genus", "family"))


def regions(flower: Flower, size: int = IMAGE_SIZE) -> list[dict[str, object]]:
    """The parts in an image of `size` pixels: `{"box": [x0, y0, x1, y1], "phrase": str}` each.

    In the order petals (the whole head), centre, leaves. Boxes are in pixels, clipped to the image;
    a part with less than half of its box inside is excluded.
    """
    found: list[dict[str, object]] = []
    for part, boxes in grow(flower).boxes().items():
        for box in boxes:
            x0, y0, x1, y1 = (box * size + _REACH).tolist()
            whole = (x1 - x0) * (y1 - y0)
            x0, y0, x1, y1 = (min(max(v, 0.0), float(size)) for v in (x0, y0, x1, y1))
            if (x1 - x0) * (y1 - y0) >= 0.5 * whole:
                found.append({"box": [x0, y0, x1, y1], "phrase": phrase(flower.traits, part).text})
    return found


@lru_cache(maxsize=4)
def load(*, seed: int = 0) -> Manifest:
    """The data set: 16 train, 4 val and 10 test images of each of the 200 species.

    `domain` says "seen" or "unseen"; its one caption names every attribute; `with_regions` adds
    the part boxes. Nothing is read from disk and no image is drawn.
    """
    rows = [
        {
            "id": f"{split}/{index:04d}",
            "uri": f"synthflora:{seed}/{split}/{index}",
            "split": split,
            "label": index // each,
            "captions": [long_caption(kind.traits, index)],
            "domain": "seen" if kind.seen else "unseen",
        }
        for split, each in SPLITS.items()
        for index, kind in enumerate(kind for kind in species() for _ in range(each))
    ]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    return Manifest.build("synthflora", columns, classes(), len(rows), "synthflora")


def with_regions(manifest: Manifest) -> Manifest:
    """The same items of synthflora with a `regions` column, as `regions()` finds them.

    Separate from `load` because growing six thousand plants takes a second or two: select first.
    """
    found = pa.array([regions(locate(uri)) for uri in manifest.uris], type=COLUMNS["regions"])
    return replace(manifest, table=manifest.table.append_column("regions", found))


def load_free(n: int = 1000, *, seed: int = 0) -> Manifest:
    """`n` images of free combinations: captions and regions, but no species and so no labels.

    All values of an attribute are equally frequent here, so a swapped caption is as likely as the
    true one: a fair basis for retrieval and for hard negatives.
    """
    flowers = [flower_at(seed, "free", index) for index in range(n)]
    columns = {
        "id": [f"free/{index:04d}" for index in range(n)],
        "uri": [f"synthflora:{seed}/free/{index}" for index in range(n)],
        "split": ["test"] * n,
        "captions": [[long_caption(f.traits, index)] for index, f in enumerate(flowers)],
    }
    return with_regions(Manifest.build("synthflora-free", columns, None, n, "synthflora"))


@lru_cache(maxsize=4)
def load_captions(*, seed: int = 0) -> Manifest:
    """Flowers with captions, to train on; and the species of `load`, to see what is kept.

    4,000 flowers of free combinations to learn from, 500 to choose by and 1,000 to measure on, each
    with four captions and no label; `val` and `test` have the labelled images of `load` too.
    No flower to learn from has the combination of an unseen species.
    """
    columns: dict[str, list[Any]] = {name: [] for name in ("id", "uri", "split", "captions")}
    for split, (start, stop) in CAPTIONED.items():
        for index in range(start, stop):
            columns["id"].append(f"free/{index:04d}")
            columns["uri"].append(f"synthflora:{seed}/free/{index}")
            columns["split"].append(split)
            columns["captions"].append(descriptions(flower_at(seed, "free", index).traits))
    columns |= {"label": [None] * len(columns["id"]), "domain": ["seen"] * len(columns["id"])}
    named = load(seed=seed)
    for split in ("val", "test"):
        table = named.select(split).table
        for name, values in columns.items():
            values += table[name].to_pylist()
    count = len(columns["id"])
    return Manifest.build("synthflora-captions", columns, classes(), count, "synthflora")


@lru_cache(maxsize=4)
def load_plants(*, seed: int = 0) -> Manifest:
    """6 plants of each species with 4 pictures of each, in no splits; `group` says of which plant.

    A plant has a habit, a place and a light of its own, so that another picture of it is easier to
    name than another plant: split by pictures, accuracy is too high.
    """
    each = PLANTS * VIEWS
    kinds, rows = species(), range(each * len(species()))
    columns = {
        "id": [f"plant-{i // VIEWS:04d}/{i % VIEWS}" for i in rows],
        "uri": [f"synthflora:{seed}/plants/{i}" for i in rows],
        "label": [i // each for i in rows],
        "captions": [[long_caption(kinds[i // each].traits, i)] for i in rows],
        "group": [f"plant-{i // VIEWS:04d}" for i in rows],
        "domain": ["seen" if kinds[i // each].seen else "unseen" for i in rows],
    }
    return Manifest.build("synthflora-plants", columns, classes(), len(rows), "synthflora")


def locate(uri: str) -> Flower:
    """The flower of a URI such as `synthflora:0/test/17` (seed, split, index).

    Raises `DataError` for a URI of another form.
    """
    match = re.fullmatch(r"synthflora:(\d+)/([^/]*)/(\d+)", uri, re.ASCII)
    if match is None:
        raise DataError(f"Expected a URI like synthflora:0/test/17, got {uri!r}.")
    return flower_at(int(match[1]), match[2], int(match[3]))


def read(uri: str) -> bytes:
    """Draw the image of a URI: the bytes of an uncompressed PPM file (P6), which Pillow opens."""
    buffer = io.BytesIO()
    draw(locate(uri), IMAGE_SIZE).save(buffer, format="PPM")
    return buffer.getvalue()


DRAWN = ByteSource(read=read, signature=lambda _: (GENERATOR_VERSION, 0))


def export(folder: str | Path, n: int = 12, size: int = 256, seed: int = 0) -> list[Path]:
    """Draw `n` test images of different species into `folder` as PNG files.

    Files are named after their species, such as `golden-eyed_spotted_coral_starwort.png`; seen
    and unseen species alternate. Returns the files. Raises `DataError` unless `n` is from 1 to
    200.
    """
    table = species()
    if not 1 <= n <= len(table):
        raise DataError(f"Expected 1 to {len(table)} images, got {n}.")
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    order = np.random.default_rng([seed, 20]).permutation(len(table)).tolist()
    seen = [i for i in order if table[i].seen]
    unseen = [i for i in order if not table[i].seen]
    turns = [i for pair in zip(seen, unseen, strict=False) for i in pair]
    chosen = (turns + seen[len(unseen) :])[:n]
    written = [target / f"{table[label].name.replace(' ', '_')}.png" for label in chosen]
    for label, path in zip(chosen, written, strict=True):
        draw(flower_at(seed, "test", label * SPLITS["test"]), size).save(path)
    return written
