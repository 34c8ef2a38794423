"""Recipes that use labels, at equal steps: what each teaches of classes that it has not seen.

    python -m benchmarks.recipes [--steps 120] [--seeds 1] [--only NAMES] [--keep FILE]

On synthflora with builtin:florette: 2,240 images of 140 species, with captions, regions and labels.
Measured, beside what `benchmarks.finetune` measures: the accuracy of class means of five images of
each of the 60 species that nothing was learnt of, on their test images.
"""

import argparse
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from benchmarks.finetune import Bench, in_percent, kept
from clipfg.data import synthflora
from clipfg.encoders import load_encoder
from clipfg.encoders.checkpoint import CheckpointEncoder
from clipfg.training.batches import Examples
from clipfg.training.pixels import load_pixels
from clipfg.training.recipes import Recipe, load_recipe
from clipfg.training.student import Student
from clipfg.types import Manifest

SHOTS = 5
NAMES = "contrastive,sigmoid,supcon,varcon,cm-cgns,fgclip,distill"


@dataclass(frozen=True)
class LabelledBench(Bench):
    """Training images of the species that are to be seen; five images of each of the others."""

    def _of(self, split: str, domain: str) -> Manifest:
        whole = synthflora.load().select(split)
        rows = np.flatnonzero([one == domain for one in whole.column("domain") or ()])
        return replace(whole, table=whole.table.take(rows))

    @cached_property
    def train(self) -> Manifest:
        """Of 140 species, with the regions of their parts."""
        return synthflora.with_regions(self._of("train", "seen"))

    @cached_property
    def examples(self) -> Examples:
        """Every sentence about a species is a caption of its images."""
        found = super().examples
        labels = torch.from_numpy(self.train.labels.astype(np.int64))
        texts = [tuple(self.train.classes.texts[name]) for name in self.train.classes.names]
        captions = [texts[label] for label in labels]
        return replace(found, labels=labels, captions=captions, class_texts=texts)

    @cached_property
    def few(self) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """Pixels and labels of the support images, and of the test images."""
        found = []
        for split in ("train", "test"):
            manifest = self._of(split, "unseen")
            pixels = load_pixels(manifest, self.encoder.preprocessing).images
            found.append((pixels, torch.from_numpy(manifest.labels.astype(np.int64))))
        (pixels, labels), test = found
        first = torch.cat([(labels == label).nonzero()[:SHOTS, 0] for label in labels.unique()])
        return (pixels[first], labels[first]), test

    def measure(self, student: Student) -> dict[str, float]:
        """Figures in percent."""
        (support, labels), (test, truths) = self.few
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            known, seen = (
                normalize(torch.cat([student.encode_images(part) for part in each.split(256)]))
                for each in (support, test)
            )
        classes = labels.unique()
        means = normalize(torch.stack([known[labels == label].mean(0) for label in classes]))
        hits = classes[(seen @ means.T).argmax(1)] == truths
        return super().measure(student) | {"5-shot": 100 * hits.double().mean().item()}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--lr", default="3e-4", help="of all recipes")
    parser.add_argument("--only", default=NAMES, help="recipes, by commas")
    parser.add_argument("--keep", type=Path, help="file of runs that need not be run again")
    args = parser.parse_args()
    torch.set_num_threads(1)
    encoder = load_encoder("builtin:florette", precision="fp32", device="cpu")
    assert isinstance(encoder, CheckpointEncoder)
    bench = LabelledBench(encoder)
    base = bench.measure(Student(encoder, "all"))
    print("recipe".ljust(16), *(name.rjust(12) for name in base), flush=True)
    print("base".ljust(16), *(f"{value:12.1f}" for value in base.values()), flush=True)
    for name in args.only.split(","):
        changes = [f"steps={args.steps}", "batch_size=128", f"lr={args.lr}", "checks=1", "crop=1"]
        recipe = load_recipe(name, [*changes, "trains=all"])
        runs = [
            kept(args.keep, f"labelled {seed} {recipe}", partial(_tuned, bench, recipe, seed))
            for seed in range(args.seeds)
        ]
        print(name.ljust(16), *(in_percent(runs, key) for key in base), flush=True)


def _tuned(bench: LabelledBench, recipe: Recipe, seed: int) -> dict[str, float]:
    distils = "distillation" in recipe.losses
    return bench.tune(recipe, bench.distilled if distils else bench.examples, seed)


if __name__ == "__main__":
    main()
