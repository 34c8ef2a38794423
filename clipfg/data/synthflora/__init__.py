"""synthflora: 200 species of drawn flowers, for trying every method with no download.

The images are drawn on demand from numbers alone: seven attributes in a taxonomy, natural
variation, light, blur, clutter and grass in front. Sixty species are "unseen": models trained with
`clipfg.training.florette.train` never saw their combination of attributes.

A class is named as in a field guide ("golden-eyed spotted coral starwort": the genus stands for
number and shape of the petals, form of the centre and leaf) and carries texts that spell out all
attributes; the prompt set `synthflora` uses those texts.
"""

import io
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa

from clipfg.data.sources import ByteSource
from clipfg.data.synthflora.captions import descriptions, hard_negatives, long_caption, phrase
from clipfg.data.synthflora.drawing import draw
from clipfg.data.synthflora.flower import SPLITS, Flower, flower_at, specimen
from clipfg.data.synthflora.plant import grow
from clipfg.data.synthflora.taxonomy import ATTRIBUTES, Species, Traits, class_list, species
from clipfg.errors import DataError
from clipfg.types import COLUMNS, ClassList, Manifest

__all__ = [
    "ATTRIBUTES",
    "GENERATOR_VERSION",
    "IMAGE_SIZE",
    "Flower",
    "Species",
    "Traits",
    "classes",
    "draw",
    "export",
    "flower_at",
    "hard_negatives",
    "load",
    "load_free",
    "locate",
    "read",
    "regions",
    "species",
    "specimen",
    "with_regions",
]

GENERATOR_VERSION = 1
"""Incremented whenever a change alters any image; caches of features key on it."""

IMAGE_SIZE = 96
"""Side of the data set's images, in pixels."""

_REACH = (-1.0, -1.0, 1.0, 1.0)  # pixels: outlines and the reduction extend a part's polygon


def classes() -> ClassList:
    """The 200 species as a class list with genera, families and descriptive texts."""
    return class_list({s.name: descriptions(s.traits) for s in species()})


def regions(flower: Flower, size: int = IMAGE_SIZE) -> list[dict[str, object]]:
    """The parts in an image of `size` pixels: `{"box": [x0, y0, x1, y1], "phrase": str}` each.

    In the order petals (the whole head), centre, leaves. Boxes are in pixels, clipped to the image;
    a part with less than half of its box inside is excluded.
    """
    found: list[dict[str, object]] = []
    for part, boxes in grow(flower).boxes().items():
        for box in boxes:
            x0, y0, x1, y1 = (
                v * size + reach for v, reach in zip(box.tolist(), _REACH, strict=True)
            )
            whole = (x1 - x0) * (y1 - y0)
            x0, y0, x1, y1 = (min(max(v, 0.0), float(size)) for v in (x0, y0, x1, y1))
            if (x1 - x0) * (y1 - y0) >= 0.5 * whole:
                text = phrase(flower.traits, part).text
                found.append({"box": [x0, y0, x1, y1], "phrase": text})
    return found


def load(*, seed: int = 0) -> Manifest:
    """The data set: 16 train, 4 val and 10 test images of each of the 200 species.

    `domain` says "seen" or "unseen"; `caption` names every attribute; `with_regions` adds the part
    boxes. Nothing is read from disk and no image is drawn.
    """
    return _manifest(seed)


@lru_cache(maxsize=4)
def _manifest(seed: int) -> Manifest:
    columns: dict[str, list[object]] = {
        name: [] for name in ("id", "uri", "split", "label", "caption", "domain")
    }
    for split, each in SPLITS.items():
        for index in range(each * len(species())):
            kind = species()[index // each]
            columns["id"].append(f"{split}/{index:04d}")
            columns["uri"].append(f"synthflora:{seed}/{split}/{index}")
            columns["split"].append(split)
            columns["label"].append(index // each)
            columns["caption"].append(long_caption(kind.traits, index))
            columns["domain"].append("seen" if kind.seen else "unseen")
    return Manifest.build(
        name="synthflora",
        classes=classes(),
        columns=columns,
        expected=len(columns["id"]),
        prompts="synthflora",
    )


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
    manifest = Manifest.build(
        name="synthflora-free",
        columns={
            "id": [f"free/{index:04d}" for index in range(n)],
            "uri": [f"synthflora:{seed}/free/{index}" for index in range(n)],
            "split": ["test"] * n,
            "caption": [long_caption(f.traits, index) for index, f in enumerate(flowers)],
        },
        expected=n,
        prompts="synthflora",
    )
    return with_regions(manifest)


def locate(uri: str) -> Flower:
    """The flower of a URI such as `synthflora:0/test/17` (seed, split, index).

    Raises `DataError` for a URI of another form.
    """
    scheme, _, path = uri.partition(":")
    seed, split, index = ([*path.split("/"), "", ""])[:3]
    digits = seed.isascii() and seed.isdigit() and index.isascii() and index.isdigit()
    if scheme != "synthflora" or path.count("/") != 2 or not digits:
        raise DataError(f"Expected a URI like synthflora:0/test/17, got {uri!r}.")
    return flower_at(int(seed), split, int(index))


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
    written = []
    for label in chosen:
        path = target / f"{table[label].name.replace(' ', '_')}.png"
        draw(flower_at(seed, "test", label * SPLITS["test"]), size).save(path)
        written.append(path)
    return written
