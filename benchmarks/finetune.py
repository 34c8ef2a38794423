"""Does fine-tuning with regions beat fine-tuning without, and what do the regions give?

    python -m benchmarks.finetune [--seeds 3] [--steps 500] [--only NAMES] [--scattered FOLDER]
        [--keep FILE]

On synthflora-captions with builtin:florette, for equal steps. Training images are 4,000 flowers of
free combinations of attributes; measured are caption retrieval and hard negatives on 1,000 others,
and zero-shot among the 200 species of synthflora, apart for the 60 of which neither the base nor a
training image has shown the combination; `parts` is how often a region of a test image, read from
the dense map, is most similar to its own phrase among those of all. `boxes shuffled` and `noise
crops` are distillation with regions that show something else; `base` is what all begin from.
`--scattered` puts each flower anywhere on a canvas, at half to three quarters of its size, so that
another flower's box shows something else.
Intervals are over seeds (Student's t), of the difference from the base and from `distill`.
"""

import argparse
import io
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import normalize

from clipfg.data import synthflora
from clipfg.data.synthflora.captions import hard_negatives
from clipfg.data.synthflora.flower import flower_at
from clipfg.embedding.texts import embed_texts
from clipfg.encoders import load_encoder
from clipfg.encoders.checkpoint import CheckpointEncoder
from clipfg.mining.negatives import Contest, Negative
from clipfg.training.batches import Batches, Examples, Sampling
from clipfg.training.loop import Loop
from clipfg.training.pixels import load_pixels
from clipfg.training.recipes import Recipe, load_recipe
from clipfg.training.student import Student
from clipfg.training.task import Task
from clipfg.training.teacher import distillation_targets, embedded, naming, region_features
from clipfg.types import Manifest
from clipfg.workflows.finetune.probe import (
    HARD,
    TO_IMAGE,
    TO_TEXT,
    TRAINED,
    UNSEEN,
    Probe,
)

HARDS = 300
"""Contests of a true caption with ten swaps of an attribute."""
MEASURES = {
    "R@1 i>t": f"Recall@1, {TO_TEXT}",
    "R@1 t>i": f"Recall@1, {TO_IMAGE}",
    "hard": HARD,
    "trained": f"zero-shot, {TRAINED}",
    "unseen": f"zero-shot, {UNSEEN}",
}
NAMES = (*MEASURES, "parts")


@dataclass(frozen=True)
class Bench:
    """What every run learns from and is measured on."""

    encoder: CheckpointEncoder
    scattered: Path | None = None
    """A folder for pictures with the flower anywhere; None for those of the data set."""

    @cached_property
    def train(self) -> Manifest:
        """The training images, with the regions of their parts."""
        return self._placed(synthflora.with_regions(synthflora.load_captions().select("train")))

    @cached_property
    def held(self) -> Manifest:
        """The images that captions, contests and parts are measured on."""
        whole = synthflora.load_captions().select("test")
        free = replace(whole, table=whole.table.slice(0, 1000))
        return self._placed(synthflora.with_regions(free))

    def _placed(self, manifest: Manifest) -> Manifest:
        return manifest if self.scattered is None else scattered(manifest, self.scattered)

    @cached_property
    def examples(self) -> Examples:
        """Without constants."""
        captions = [tuple(own) for own in self.train.column("captions")]
        phrases = [tuple(one["phrase"] for one in own) for own in self.train.column("regions")]
        pixels = load_pixels(self.train, self.encoder.preprocessing)
        return Examples(pixels, torch.full((len(pixels),), -1), captions, (), phrases)

    @cached_property
    def vocabulary(self) -> tuple[str, ...]:
        """The phrases of all parts."""
        return tuple(sorted({text for own in self.examples.phrases for text in own}))

    def texts(self, texts: Sequence[str]) -> Tensor:
        """Features of texts by the base."""
        return torch.from_numpy(embed_texts(texts, self.encoder, None))

    def with_targets(self, examples: Examples, manifest: Manifest, noise: bool = False) -> Examples:
        """The constants of distillation, from crops of the manifest's regions or from noise."""
        whole = embedded(manifest, self.encoder, None)
        crops, mask = region_features(manifest, self.encoder, None, "dense")
        if noise:
            rng = np.random.default_rng(0)
            pixels = rng.integers(0, 256, (256, 3, *self.encoder.preprocessing.size), np.uint8)
            seen = normalize(self.encoder.encode_images(torch.from_numpy(pixels)).pooled, dim=-1)
            crops = seen[torch.from_numpy(rng.integers(0, 256, tuple(mask.shape)))]
        made = distillation_targets(whole, crops, mask, self.texts(self.vocabulary))
        return replace(examples, vocabulary=self.vocabulary, constants=made)

    @cached_property
    def distilled(self) -> Examples:
        """With the targets of distillation."""
        return self.with_targets(self.examples, self.train)

    @cached_property
    def shuffled(self) -> Examples:
        """With the boxes of another image each, and each image's own phrases."""
        order = np.random.default_rng(1).permutation(len(self.train))
        regions = self.train.column("regions")
        return self._with_boxes([regions[row] for row in order])

    def overlap(self, other: Examples) -> float:
        """Mean intersection over union of regions with those of other examples, in their order."""
        own, others = (torch.cat(each.pixels.boxes) for each in (self.examples, other))
        low, high = (
            torch.maximum(own[:, :2], others[:, :2]),
            torch.minimum(own[:, 2:], others[:, 2:]),
        )
        both = (high - low).clamp(min=0).prod(1)
        areas = [(each[:, 2:] - each[:, :2]).prod(1) for each in (own, others)]
        return (both / (areas[0] + areas[1] - both)).mean().item()

    @cached_property
    def noise(self) -> Examples:
        """With boxes anywhere, and noise in place of their crops."""
        rng = np.random.default_rng(2)
        size = synthflora.IMAGE_SIZE
        boxes = []
        for own in self.train.column("regions"):
            start = rng.uniform(0, size * 0.7, (len(own), 2))
            ends = start + rng.uniform(size * 0.1, size * 0.3, (len(own), 2))
            found = np.concatenate([start, ends], axis=1)
            boxes.append([{"box": box.tolist(), "phrase": None} for box in found])
        return self._with_boxes(boxes, noise=True)

    def _with_boxes(self, regions: list[list[dict]], noise: bool = False) -> Examples:
        """The examples with other boxes: as many as an image has phrases, over again if need be."""
        own = self.train.column("regions")
        moved = [
            [
                {"box": given[k % len(given)]["box"], "phrase": one["phrase"]}
                for k, one in enumerate(row)
            ]
            if given
            else row
            for row, given in zip(own, regions, strict=True)
        ]
        manifest = with_columns(self.train, regions=moved)
        pixels = load_pixels(manifest, self.encoder.preprocessing)
        return self.with_targets(replace(self.examples, pixels=pixels), manifest, noise)

    @cached_property
    def probes(self) -> tuple[Probe, Probe]:
        """Captions and contests of free flowers; classes of the test images."""
        pixels = load_pixels(self.held, self.encoder.preprocessing)
        captions = [tuple(own) for own in self.held.column("captions")]
        rng = np.random.default_rng(0)
        contests = []
        for item in range(HARDS):
            traits = flower_at(0, "free", item).traits
            swaps = hard_negatives(traits, rng, 10, item)
            negatives = tuple(Negative(text, "swap", "") for text in swaps)
            own = captions[item]  # one for each style, as the swaps are
            contests.append(Contest(item, own[item % len(own)], negatives))
        none = torch.full((len(pixels),), -1)
        retrieval = Probe(Examples(pixels, none, captions), contests)
        test = self._placed(synthflora.load().select("test"))
        labels = torch.from_numpy(test.labels.astype(np.int64))
        sentences = [test.classes.texts[name] for name in test.classes.names]

        def weights(encode: Callable[[Sequence[str]], Tensor]) -> Tensor:
            found = encode([text for texts in sentences for text in texts])
            return normalize(found.view(len(sentences), -1, found.shape[1]).mean(1), dim=-1)

        unseen = np.array([not kind.seen for kind in synthflora.species()])
        examples = Examples(load_pixels(test, self.encoder.preprocessing), labels)
        return retrieval, Probe(examples, (), weights, unseen)

    def measure(self, student: Student) -> dict[str, float]:
        """The figures of a student, in percent."""

        def images(pixels: Tensor) -> Tensor:
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
                return student.encode_images(pixels)

        def texts(given: Sequence[str]) -> Tensor:
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
                return student.encode_texts(given)

        found = {**self.probes[0].measure(images, texts), **self.probes[1].measure(images, texts)}
        figures = {short: 100 * found[name].mean for short, name in MEASURES.items()}
        regions, _ = region_features(self.held, student.encoder, None, "dense")
        phrases = [tuple(one["phrase"] for one in own) for own in self.held.column("regions")]
        distinct = sorted({text for own in phrases for text in own})
        known = dict(zip(distinct, normalize(texts(distinct), dim=-1).float(), strict=True))
        return figures | {"parts": 100 * naming(regions, phrases, known)}

    def tune(self, recipe: Recipe, examples: Examples, seed: int) -> dict[str, float]:
        """Train to the end, and measure the last weights."""
        student = Student(self.encoder, recipe.trains, seed=seed)
        task = Task.of(recipe, student, examples, self.texts, seed)
        batches = Batches(examples, Sampling.of(recipe, seed, task.needs))
        order = iter(range(10_000))  # the last check counts
        loop = Loop(task, batches, recipe, lambda: next(order), bf16=True)
        loop.run()
        return self.measure(student)


def scattered(manifest: Manifest, folder: Path) -> Manifest:
    """The pictures with each flower anywhere on a plain canvas, smaller; boxes go along."""
    uris, regions = [], []
    canvas = synthflora.IMAGE_SIZE
    boxes = manifest.column("regions") or [()] * len(manifest)
    for id_, uri, own in zip(manifest.ids, manifest.uris, boxes, strict=True):
        rng = np.random.default_rng(list(id_.encode()))
        size = round(canvas * rng.uniform(0.5, 0.75))
        left, top = rng.integers(0, canvas - size + 1, 2).tolist()
        path = folder / f"{id_}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            with Image.open(io.BytesIO(synthflora.read(uri))) as flower:
                around = tuple(int(v) for v in np.asarray(flower).mean((0, 1)))
                picture = Image.new("RGB", (canvas, canvas), around)
                picture.paste(flower.resize((size, size), Image.Resampling.BOX), (left, top))
            picture.save(path)
        uris.append(str(path))
        shift = np.array([left, top, left, top])
        moved = [np.array(one["box"]) * size / canvas + shift for one in own]
        regions.append(
            [
                {"box": box.tolist(), "phrase": one["phrase"]}
                for box, one in zip(moved, own, strict=True)
            ]
        )
    return with_columns(manifest, uri=uris, regions=regions)


def with_columns(manifest: Manifest, **columns: list) -> Manifest:
    """The manifest with other values in some columns."""
    table = manifest.table
    for name, values in columns.items():
        if name in table.column_names:
            place, kind = table.column_names.index(name), table.schema.field(name).type
            table = table.set_column(place, name, pa.array(values, kind))
    return replace(manifest, table=table)


Variant = tuple[str, Callable[[Bench], Examples]]
VARIANTS: Mapping[str, Variant] = {
    "distill": ("distill", lambda bench: bench.distilled),
    "contrastive": ("contrastive", lambda bench: bench.examples),
    "boxes shuffled": ("distill", lambda bench: bench.shuffled),
    "noise crops": ("distill", lambda bench: bench.noise),
    "dclip": ("dclip", lambda bench: bench.distilled),
}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--only", default=",".join(VARIANTS), help="variants, by commas")
    parser.add_argument("--lr", default="1e-3", help="of all variants")
    parser.add_argument("--scattered", type=Path, help="folder for pictures with flowers anywhere")
    parser.add_argument("--keep", type=Path, help="file of runs that need not be run again")
    parser.add_argument("--set", action="append", default=[], help="NAME=VALUE for distill")
    args = parser.parse_args()
    torch.set_num_threads(1)
    encoder = load_encoder("builtin:florette", precision="fp32", device="cpu")
    assert isinstance(encoder, CheckpointEncoder)
    bench = Bench(encoder, args.scattered)
    base = bench.measure(Student(encoder, "all"))
    print("variant".ljust(16), *(name.rjust(22) for name in NAMES), flush=True)
    print("base".ljust(16), *(f"{value:22.1f}" for value in base.values()), flush=True)
    numbers = [f"steps={args.steps}", f"batch_size={args.batch_size}", f"lr={args.lr}", "checks=1"]
    results: dict[str, list[dict[str, float]]] = {}
    for name in args.only.split(","):
        recipe_name, examples = VARIANTS[name]
        recipe = load_recipe(recipe_name, numbers)
        if recipe_name == "distill":
            recipe = load_recipe(recipe_name, [*numbers, *args.set])
        started = time.monotonic()
        results[name] = [
            kept(
                args.keep,
                f"{name} {seed} {recipe} {args.scattered}",
                partial(_tuned, bench, recipe, examples, seed),
            )
            for seed in range(args.seeds)
        ]
        row = [gain([run[m] - base[m] for run in results[name]]) for m in NAMES]
        means = [np.mean([run[m] for run in results[name]]) for m in NAMES]
        if examples(bench) is not bench.examples:
            share = bench.overlap(examples(bench))
            print(
                f"  regions of {name} overlap with the true ones by {share:.0%} (IoU)", flush=True
            )
        cells = (f"{mean:5.1f} {gain}".rjust(22) for mean, gain in zip(means, row, strict=True))
        print(name.ljust(16), *cells, f"{time.monotonic() - started:.0f} s", flush=True)
    for name in [n for n in results if n != "distill" and "distill" in results]:
        pairs = zip(results["distill"], results[name], strict=True)
        differences = [[a[m] - b[m] for m in NAMES] for a, b in pairs]
        cells = (gain([row[i] for row in differences]).rjust(22) for i in range(len(NAMES)))
        print(f"distill - {name}".ljust(16), *cells, flush=True)


def _tuned(
    bench: Bench, recipe: Recipe, examples: Callable[[Bench], Examples], seed: int
) -> dict[str, float]:
    return bench.tune(recipe, examples(bench), seed)


def kept(file: Path | None, name: str, run: Callable[[], dict[str, float]]) -> dict[str, float]:
    """The figures of a run that is in the file, else of one that is run now and put there."""
    lines = file.read_text().splitlines() if file is not None and file.exists() else []
    for one in map(json.loads, lines):
        if one["name"] == name:
            found: dict[str, float] = one["figures"]
            return found
    found = run()
    if file is not None:
        with file.open("a") as stream:
            stream.write(json.dumps({"name": name, "figures": found}) + "\n")
    return found


def in_percent(runs: Sequence[Mapping[str, float]], name: str) -> str:
    """A mean over runs, in a column of 12 characters."""
    return f"{np.mean([run[name] for run in runs]):12.1f}"


def gain(values: Sequence[float]) -> str:
    """A mean difference with its 95 % interval over seeds."""
    from scipy.stats import t

    mean = float(np.mean(values))
    if len(values) < 2:
        return f"{mean:+.1f}"
    half = t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5
    return f"{mean:+.1f} ±{half:.1f}"


if __name__ == "__main__":
    main()
