"""Several views of each image against the center alone, on three data sets; where objects are.

    python -m benchmarks.views                           all three
    python -m benchmarks.views --only cub200 --cache-dir FOLDER
    python -m benchmarks.views --objects                 boxes around objects, true and found

Full pictures of 10 bird species (named among all 200 of CUB) with a real bird encoder; flowers-102
with the same encoder, which has not learnt flowers: classes are means of up to 4 training images,
seen in the same views; and the built-in drawn flowers with the built-in encoder. Real data from
`../shared` beside the checkout, skipped where it is missing. Every view is embedded once per cache
folder. Intervals are of the bootstrap; differences are paired with the center, p of McNemar's exact
test. Passes are what an image costs.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from clipfg.data.images.decoding import upright_size
from clipfg.data.loading import load_dataset
from clipfg.embedding.cache import EmbeddingCache
from clipfg.embedding.framing import Framing
from clipfg.embedding.pipeline import collect, embed
from clipfg.embedding.texts import embed_texts
from clipfg.embedding.views import Views, mean_of_kinds
from clipfg.encoders import Encoder, load_encoder
from clipfg.evaluation.statistics.intervals import proportion
from clipfg.evaluation.statistics.paired import compare
from clipfg.functional.objectness import object_box, object_map
from clipfg.functional.surest_view import HOLDS, holds_object, kind_factors, surest_view
from clipfg.functional.windows import Window, square_window, visible_part
from clipfg.heads.class_mean import ClassMean
from clipfg.heads.zero_shot import ZeroShot
from clipfg.prompting import load_prompts, texts_for
from clipfg.prompting.ensembling import ensemble_mean
from clipfg.types import COLUMNS, Manifest

SHARED = Path(__file__).resolve().parents[2] / "shared"
REAL = "hf:" + str(SHARED / "models" / "lit-birds")
KINDS = ("squash", "attention-crop", "tiles", "ten-crop")
SPREADS = (1.7, 2.2, 2.6, 3.0)


@dataclass(frozen=True)
class Case:
    """A data set and its encoder; classes are texts, or means of training images."""

    title: str
    dataset: str
    model: str
    prompts: str | None
    every: int = 1
    """Of its test images, one in so many."""
    classes: int | None = None
    """How many of its classes, the first ones; None for all."""


CASES = {
    "cub200": Case("CUB-200-2011, full pictures, lit-birds", "cub200", REAL, "birds"),
    "flowers102": Case("flowers-102, lit-birds, 4 shots", "flowers102", REAL, None, classes=40),
    "synthflora": Case(
        "synthflora, florette", "synthflora", "builtin:florette", "synthflora", every=5
    ),
}


def images_of(case: Case) -> tuple[Manifest, Manifest | None]:
    """What is tested, and what is learnt from where classes are no texts."""
    everything = load_dataset(case.dataset, data_root=SHARED / "data", download=False)
    if case.classes is not None:
        rows = np.flatnonzero(everything.labels < case.classes)
        everything = replace(everything, table=everything.table.take(rows))
    test = everything if case.dataset == "cub200" else everything.select("test")
    test = replace(test, table=test.table.take(np.arange(0, len(test), case.every)))
    return test, everything.select("train") if case.prompts is None else None


class Pictures:
    """All views of the images of a manifest."""

    def __init__(self, manifest: Manifest, encoder: Encoder, cache: EmbeddingCache) -> None:
        views = Views.of("+".join(("center", *KINDS)), encoder.preprocessing)
        assert views is not None
        self.all = views
        frame = Framing("whole")
        batches = list(embed(manifest, encoder, cache, framing=frame, views=views))
        held = [batch.views for batch in batches if batch.views is not None]
        self.features = np.concatenate(held)
        self.labels = torch.from_numpy(np.concatenate([batch.labels for batch in batches]))

    def among(self, classes: list[int]) -> None:
        """Keep the images of some classes, numbered in their order."""
        kept = np.isin(self.labels, classes)
        self.features = self.features[kept]
        self.labels = torch.from_numpy(np.searchsorted(classes, self.labels[kept]))

    def of(self, names: str) -> tuple[np.ndarray, list[str]]:
        """The features of some kinds of views `[n, v, d]`, and the kind of each."""
        wanted = names.split("+")
        places = [at for at, kind in enumerate(self.all.kinds) if kind in wanted]
        return self.features[:, places], [self.all.kinds[at] for at in places]

    def pooled(self, names: str) -> Tensor:
        """Their mean."""
        return torch.from_numpy(mean_of_kinds(*self.of(names)))


def combinations() -> Iterator[tuple[str, str]]:
    """Views and how they are pooled, the center first."""
    yield "center", "mean"
    for kind in KINDS:
        yield kind, "mean"
        yield f"center+{kind}", "mean"
        yield f"center+{kind}", "surest"
    yield "center+attention-crop+tiles", "surest"


def table(case: Case, cache: EmbeddingCache) -> None:
    encoder = load_encoder(case.model, precision="fp32", device="cpu")
    tested, learnt = images_of(case)
    pictures = Pictures(tested, encoder, cache)
    support = Pictures(learnt, encoder, cache) if learnt is not None else None
    if support is not None:
        classes = sorted(set(support.labels.tolist()))
        pictures.among(classes)
        support.among(classes)
    print(f"\n### {case.title}\n\n{len(pictures.labels):,} images.\n")
    print("| views | pooled by | passes | top-1 | 95 % | against center | p |")
    print("|---|---|---:|---:|---|---:|---:|")
    texts = None
    if case.prompts is not None and tested.classes is not None:
        sentences, owners = texts_for(load_prompts(case.prompts), tested.classes)
        features = torch.from_numpy(embed_texts(sentences, encoder, cache))
        texts = ensemble_mean(features, torch.from_numpy(owners))
    first = None
    for names, pooling in combinations():
        head = ZeroShot(encoder.logit_scale)
        if texts is not None:
            head.fit(text_weights=texts)
        else:
            assert support is not None
            head = ClassMean().fit(support.pooled(names), support.labels)
        answers = answers_of(pictures, names, pooling, head)
        hits = (answers == pictures.labels).numpy()
        first = hits if first is None else first
        views = Views.of(names, encoder.preprocessing)
        print(line(names, pooling, 1 if views is None else views.passes, hits, first), flush=True)


def answers_of(pictures: Pictures, names: str, pooling: str, head: ZeroShot | ClassMean) -> Tensor:
    if pooling == "mean":
        return head.logits(pictures.pooled(names)).argmax(dim=1)
    found, kinds = pictures.of(names)
    features = torch.from_numpy(found)
    logits = head.logits(features.flatten(0, 1)).unflatten(0, features.shape[:2])
    holds = holds_object(features, features[:, 0], features[:, 0].mean(dim=0))
    chosen = surest_view(logits, holds, kind_factors(logits, holds, kinds, 0), 0)
    return logits[torch.arange(len(logits)), chosen].argmax(dim=1)


def line(names: str, pooling: str, passes: int, hits: np.ndarray, first: np.ndarray) -> str:
    share = proportion(int(hits.sum()), len(hits))
    paired = compare(first, hits)
    gain = paired.difference
    return (
        f"| {names} | {pooling} | {passes} | {100 * share.value:.2f} |"
        f" {100 * share.low:.1f} – {100 * share.high:.1f} |"
        f" {100 * gain.value:+.2f} ({100 * gain.low:+.1f} to {100 * gain.high:+.1f}) |"
        f" {paired.p_value:.2g} |"
    )


def objects(cache: EmbeddingCache) -> None:
    """Found boxes against the true ones of CUB, and background against the test for objects."""
    encoder = load_encoder(REAL, precision="fp32", device="cpu")
    manifest, _ = images_of(CASES["cub200"])
    squashed = manifest.table.append_column("view", pa.array(["squash"] * len(manifest)))
    whole = replace(manifest, table=squashed)
    frame = Framing("whole")
    found = collect(whole, encoder, cache, framing=frame, dense=["patches"])
    sizes = [upright_size(Path(uri)) for uri in manifest.uris]
    boxes = [tuple(box) for box in manifest.column("box") or ()]
    splits = np.array(found.splits)
    assert found.patches is not None
    maps = [object_map(torch.from_numpy(found.patches[row])) for row in range(len(found.ids))]
    print("\n### Boxes around birds, from the squashed picture\n")
    print("IoU with the true box; of the square crop: the share of the true box that it holds, and")
    print("its share of the picture. The true square, with a tenth to spare, has", end=" ")
    ideal = [
        area(square_window(b, *s, 0.1)) / (s[0] * s[1]) for b, s in zip(boxes, sizes, strict=True)
    ]
    print(f"{np.mean(ideal):.2f}.\n\n| spread | split | IoU | held | of the picture |")
    print("|---:|---|---:|---:|---:|")
    for spread, split in product(SPREADS, ("train", "test")):
        rows = []
        for at in np.flatnonzero(splits == split):
            size = sizes[at]
            box = tuple((object_box(maps[at], spread).numpy() * [*size, *size]).tolist())
            crop = square_window(box, *size, 0.0)
            both = shared(box, boxes[at])
            iou = both / (area(box) + area(boxes[at]) - both)
            held = shared(crop, boxes[at]) / area(boxes[at])
            rows.append((iou, held, area(crop) / (size[0] * size[1])))
        shown = " | ".join(f"{value:.3f}" for value in np.mean(rows, axis=0))
        print(f"| {spread} | {split} | {shown} |")
    held_by(manifest, boxes, sizes, encoder, cache)


def held_by(
    manifest: Manifest,
    boxes: Sequence[Window],
    sizes: Sequence[tuple[int, int]],
    encoder: Encoder,
    cache: EmbeddingCache,
) -> None:
    """How often a view passes for one that holds the object, and squares of bare background do."""
    crops = [background(box, *size) for box, size in zip(boxes, sizes, strict=True)]
    kept = [at for at, crop in enumerate(crops) if crop is not None]
    uris = manifest.uris
    columns = {
        "id": [str(at) for at in kept],
        "uri": [uris[at] for at in kept],
        "box": pa.array([crops[at] for at in kept], COLUMNS["box"]),
    }
    bare = collect(Manifest.build("bare", columns), encoder, cache, framing=Framing("tight"))
    pictures = Pictures(manifest, encoder, cache)
    center = torch.from_numpy(pictures.of("center")[0])[:, 0]
    mean = center.mean(dim=0)
    print(f"\nViews that count as holding the object (cosine of at least {HOLDS}):\n")
    for kind in KINDS:
        features = torch.from_numpy(pictures.of(kind)[0])
        print(f"- {kind}: {100 * holds_object(features, center, mean).float().mean():.1f} %")
    alone = torch.from_numpy(bare.pooled)[:, None]
    share = holds_object(alone, center[kept], mean).float().mean()
    print(f"- bare background, {len(kept)} squares: {100 * share:.1f} %")


def background(box: Window, width: int, height: int, least: int = 60) -> list[float] | None:
    """The largest square beside a box, in the middle of its side; None below `least` pixels."""
    x0, y0, x1, y1 = box
    sides = [(0, 0, x0, height), (x1, 0, width, height), (0, 0, width, y0), (0, y1, width, height)]
    a, b, c, d = max(sides, key=lambda side: min(side[2] - side[0], side[3] - side[1]))
    half = min(c - a, d - b) / 2
    x, y = (a + c) / 2, (b + d) / 2
    return [x - half, y - half, x + half, y + half] if 2 * half >= least else None


def area(box: Window) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def shared(one: Window, other: Window) -> float:
    x, y = other[:2]
    moved = (one[0] - x, one[1] - y, one[2] - x, one[3] - y)
    both = visible_part(moved, other[2] - x, other[3] - y)  # type: ignore[arg-type]
    return area(both) if both else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=list(CASES), action="append")
    parser.add_argument("--objects", action="store_true", help="where the objects are, alone")
    parser.add_argument("--cache-dir", type=Path, help="where embeddings are kept")
    chosen = parser.parse_args()
    there = (SHARED / "models").is_dir()
    with EmbeddingCache(chosen.cache_dir or Path(mkdtemp(prefix="clipfg-benchmark-"))) as cache:
        for name in chosen.only or ([] if chosen.objects else CASES):
            if CASES[name].model == REAL and not there:
                print(f"\n{CASES[name].title}: the data and the encoder are not there.")
                continue
            table(CASES[name], cache)
        if chosen.objects and there:
            objects(cache)


if __name__ == "__main__":
    main()
