"""Transductive refinements of zero-shot with real texts, on pools as people have them.

    python -m benchmarks.refinements --features ../shared/data/clip-two-sided

Each npz holds class texts `text_f`, one weight a class, and the images that `benchmarks.fewshot`
judges by (`test_f` and `val_f`, or `keys_1` and `keys_2`). They are classified in one pool; in
random pools of 100; and in pools of a tenth of the classes each, among the names of all. Every
image is in one pool of a kind, so a cell is over all of them: top-1 in percent, and the difference
from the texts alone with its 95 % interval over images. Refinements have their defaults, and see no
label.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.fewshot import Features
from clipfg.evaluation.statistics.repeated import difference_over
from clipfg.functional.similarity import cosine_logits
from clipfg.heads.transduction import TRANSDUCTIONS

SCALE, SMALL, TENTH = 100.0, 100, 10


def images(features: Features) -> tuple[Tensor, Tensor]:
    """Those that `benchmarks.fewshot` judges by."""
    (x, labels), (more, theirs) = features.judged("test"), features.judged("val")
    return torch.cat([x, more]), torch.cat([labels, theirs])


def pools(labels: Tensor, classes: int) -> Iterator[tuple[str, list[Tensor]]]:
    """Partitions of the images into pools, by what they are."""
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(len(labels), generator=generator)
    yield f"all {len(labels):,}", [order]
    yield f"{SMALL} each", list(order.split(SMALL))[: len(order) // SMALL]
    part = torch.randperm(classes, generator=generator) % TENTH
    yield "a tenth of the classes each", [order[part[labels[order]] == own] for own in range(TENTH)]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--features", type=Path, required=True, help="a folder of npz files")
    parser.add_argument("--scale", type=float, default=SCALE, help="of the encoder's logits")
    given = parser.parse_args()
    names = list(TRANSDUCTIONS)
    print(f"| data | pool | texts alone | {' | '.join(names)} |")
    print("|---|---|--:|" + "--:|" * len(names))
    for path in sorted(given.features.glob("*.npz")):
        features = Features(path)
        x, labels = images(features)
        assert features.texts is not None
        logits = cosine_logits(x, features.texts, given.scale)
        for kind, parts in pools(labels, len(features.texts)):
            rows = torch.cat(parts)
            alone = (logits[rows].argmax(dim=1) == labels[rows]).numpy()[None]
            cells = [f"{100 * alone.mean():.2f}"]
            for name in names:
                refine = TRANSDUCTIONS.get(name)
                found = torch.cat([refine(x[own], logits[own]).argmax(dim=1) for own in parts])
                hits = (found == labels[rows]).numpy()[None]
                gain = difference_over(alone, hits).estimate
                half = 50 * (gain.high - gain.low)
                cells.append(f"{100 * np.mean(hits):.2f} ({100 * gain.value:+.2f} ±{half:.2f})")
            print(f"| {path.stem} | {kind} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
