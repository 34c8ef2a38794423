"""Fine-tuning on cut-outs, against whole pictures and against the base on cut-outs.

    python -m benchmarks.tuned_boxes [--scenes 4/4,1/4,1/1] [--seeds 3] [--epochs 12] [--keep FILE]

Drawn flowers of 20 species that the built-in model has not seen, in a quarter of a picture each:
four that all have a box and a class, so that a whole picture has several; four of which one has
them; and one alone. Zero-shot accuracy on test pictures of the weights that `clipfg finetune`
keeps, means over seeds, which draw the pictures and the training.
"""

import argparse
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image

import clipfg
from benchmarks.finetune import gain, kept
from clipfg.data import synthflora

SIDE = 96
KINDS = 20
SPLITS = {"train": 12, "val": 4, "test": 10}
"""Flowers of each species."""
BASE = "builtin:florette"
Flowers = list[tuple[str, Image.Image]]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--scenes", default="4/4,1/4,1/1", help="labelled flowers of how many")
    parser.add_argument("--keep", type=Path, help="file of runs that need not be run again")
    args = parser.parse_args()
    torch.set_num_threads(1)
    flowers = {split: list(drawn(split, each)) for split, each in SPLITS.items()}
    for scene in args.scenes.split(","):
        boxes, count = map(int, scene.split("/"))
        found = []
        for seed in range(args.seeds):
            run = partial(figures, flowers, boxes, count, seed, args.epochs)
            found.append(kept(args.keep, f"{scene} {seed} {args.epochs}", run))
            print(f"seed {seed}: {found[-1]}", flush=True)
        print(f"{boxes} labelled of {count} flowers a picture, {args.seeds} seeds")
        for name in found[0]:
            values = [100 * one[name] for one in found]
            more = [100 * (one[name] - one["base, cut-outs"]) for one in found]
            print(f"  {name:32}{np.mean(values):6.1f}  {gain(more)}", flush=True)


def figures(
    flowers: Mapping[str, Flowers], boxes: int, count: int, seed: int, epochs: int
) -> dict[str, float]:
    """The accuracy of each encoder, named by how it was trained and what it was shown."""
    with TemporaryDirectory() as folder:
        table = scenes(flowers, boxes, count, Path(folder), seed)
        return _figures(table, boxes == 1, seed, epochs)


def _figures(table: Path, one_class: bool, seed: int, epochs: int) -> dict[str, float]:
    settings = {
        "prompts": "synthflora",
        "cache_dir": table.parent / "cache",
        "precision": "fp32",
        "seed": seed,
    }
    ways = {"cut-outs": "square", "whole": "whole"}

    def accuracy(model: str, crop: str, name: str) -> float:
        run = clipfg.zeroshot(
            str(table), model=model, crop=crop, split="test", output=table.parent / name, **settings
        )
        return run.report.metrics["top1"].value

    models = {"base": BASE}
    for name, crop in ways.items():
        if one_class or crop != "whole":  # a whole picture of several classes is refused
            run = clipfg.finetune(
                str(table),
                model=BASE,
                recipe="flyp",
                crop=crop,
                set=(f"epochs={epochs}",),
                output=table.parent / name,
                **settings,
            )
            assert run is not None
            models[f"tuned on {name}"] = str(run.model)
    return {
        f"{name}, {way}": accuracy(model, crop, f"{name} {way}")
        for name, model in models.items()
        for way, crop in ways.items()
    }


def scenes(flowers: Mapping[str, Flowers], boxes: int, count: int, folder: Path, seed: int) -> Path:
    """Pictures of `count` flowers of one split in random places, with boxes of the first `boxes`.

    Every flower has a box once; the rest of a picture has the mean colour of its first flower.
    """
    rng = np.random.default_rng(seed)
    lines = ["path,label,split,x0,y0,x1,y1"]
    for split, own in flowers.items():
        order = rng.permutation(len(own))
        for number, start in enumerate(range(0, len(own), boxes)):
            others = rng.permutation(len(own))[: count - boxes]
            around = own[order[start]][1].resize((1, 1), Image.Resampling.BOX)
            picture = around.resize((2 * SIDE, 2 * SIDE))
            places = rng.permutation(4)
            for turn, row in enumerate([*order[start : start + boxes], *others]):
                species, flower = own[row]
                x, y = SIDE * (places[turn] % 2), SIDE * (places[turn] // 2)
                picture.paste(flower, (int(x), int(y)))
                if turn < boxes:
                    box = f"{x},{y},{x + SIDE},{y + SIDE}"
                    lines.append(f"{split}{number}.png,{species},{split},{box}")
            picture.save(folder / f"{split}{number}.png")
    table = folder / "flowers.csv"
    table.write_text("\n".join(lines))
    return table


def drawn(split: str, each: int) -> Iterator[tuple[str, Image.Image]]:
    """Flowers of each of the first species that are new to the model, with its name."""
    kinds = [number for number, kind in enumerate(synthflora.species()) if not kind.seen]
    for kind in kinds[:KINDS]:
        for number in range(each):
            index = synthflora.SPLITS[split] * kind + number
            flower = synthflora.flower_at(0, split, index)
            yield synthflora.species()[kind].name, synthflora.draw(flower, SIDE)


if __name__ == "__main__":
    main()
