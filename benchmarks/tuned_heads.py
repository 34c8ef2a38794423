"""Heads that learn with the encoder, beside `auto`, at few images a class.

    python -m benchmarks.tuned_heads [--data NAME|PATH] [--model NAME] [--shots 1,4,16] [--seeds 1]
        [--classes 20] [--test 200] [--steps 100] [--heads NAMES]

Bounded so that two slow cores can do it, and every bound is printed: classes (the first that have
images), test images (drawn by seed 0), steps of each training. Support sets are drawn by seed from
the train split; nothing is chosen by the test split. Printed is top-1 in percent, with the 95 %
interval over images and seeds, the difference from the first head, and the seconds of one training.
"""

import argparse
import time
from dataclasses import replace
from inspect import signature

import numpy as np
import torch

from clipfg.data.loading import load_dataset
from clipfg.encoders import load_encoder
from clipfg.encoders.checkpoint import CheckpointEncoder
from clipfg.evaluation.statistics.repeated import accuracy_over, difference_over
from clipfg.functional.similarity import unit_norm
from clipfg.heads import HEADS
from clipfg.heads.base import Images
from clipfg.heads.items import Items
from clipfg.heads.support import Support
from clipfg.prompting import load_prompts
from clipfg.prompting.ensembling import make_ensemble
from clipfg.training.heads import Base
from clipfg.training.pixels import load_pixels
from clipfg.types import Manifest
from clipfg.workflows.protocol.support_sets import draw_supports, parse_shots


def part(whole: Manifest, split: str, classes: np.ndarray, most: int) -> Manifest:
    """The items of some classes of a split, at most so many."""
    found = whole.select(split)
    found = replace(found, table=found.table.take(np.flatnonzero(np.isin(found.labels, classes))))
    return found.draw(most, 0)


def items(manifest: Manifest, encoder: CheckpointEncoder) -> Items:
    """Pixels, and what the encoder makes of them."""
    pixels = load_pixels(manifest, encoder.preprocessing).images
    features = torch.cat([encoder.encode_images(some).pooled for some in pixels.split(64)])
    return Items(unit_norm(features), Images(pixels, torch.arange(len(pixels))))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", default="synthflora")
    parser.add_argument("--model", default="builtin:florette")
    parser.add_argument("--shots", default="1,4,16")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--classes", type=int, default=20)
    parser.add_argument("--test", type=int, default=200)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--heads", default="auto,zero-shot,coop,prolip-encoder,clip-lora,flyp")
    args = parser.parse_args()
    encoder = load_encoder(args.model, precision="fp32", device="cpu")
    assert isinstance(encoder, CheckpointEncoder)
    whole = load_dataset(args.data)
    assert whole.classes is not None
    kept = np.unique(whole.select("train").labels)[: args.classes]
    names = whole.classes.only([whole.classes.names[label] for label in kept])
    train = part(whole, "train", kept, len(whole))
    test = part(whole, "test", kept, args.test)
    sentences = make_ensemble("mean").sentences(load_prompts(whole.prompts), names)
    base = Base(encoder, names.names, sentences, make_ensemble("mean"))
    texts = base.class_weights(base.encode_texts)
    labels, truth = (np.searchsorted(kept, one.labels) for one in (train, test))
    learnt, pool = items(train, encoder), items(test, encoder)
    support = Support.of("benchmark", learnt.features, torch.from_numpy(labels), texts)
    support = replace(support, images=learnt.images)
    print(
        f"{whole.name}, {encoder.name}: {len(names)} of {len(whole.classes)} classes, {len(test)}"
        f" of {len(whole.select('test')):,} test images, at most {args.steps} steps,"
        f" {args.seeds} draws"
    )
    seeds = range(args.seeds)
    draws = draw_supports(labels, seeds)
    for shots in parse_shots(args.shots):
        first: np.ndarray | None = None
        for name in args.heads.split(","):
            hits, started = [], time.monotonic()
            for seed in seeds:
                kind = HEADS.get(name)
                known = {"most_steps": args.steps, "seed": seed, "scale": encoder.logit_scale}
                known = {k: v for k, v in known.items() if k in signature(kind).parameters}
                own = support.rows(torch.from_numpy(draws.rows(seed, shots)))
                more = {"base": base} if kind.needs_encoder else {}
                head = kind(**known if kind.needs_encoder or name == "zero-shot" else {})
                head.fit(own.items.given_to(kind), own.labels, own.texts, **more)
                hits.append(head.logits(pool.given_to(kind)).argmax(1).numpy() == truth)
            seconds = (time.monotonic() - started) / len(hits)
            table = np.stack(hits)
            first = table if first is None else first
            top, gap = accuracy_over(table), difference_over(first, table).estimate
            rate = f", rate {head.learning_rate_:g}" if hasattr(head, "learning_rate_") else ""
            print(
                f"{shots!s:>3} shots  {name:15} {100 * top.value:5.1f}"
                f" [{100 * top.low:.1f}, {100 * top.high:.1f}]"
                f"  {100 * gap.value:+5.1f} [{100 * gap.low:+.1f}, {100 * gap.high:+.1f}]"
                f"  {seconds:.0f} s{rate}",
                flush=True,
            )


if __name__ == "__main__":
    main()
