"""What heads on bags promise: sets, errors and unknown bags, as they come out.

    python -m benchmarks.bag_guarantees promises
    python -m benchmarks.bag_guarantees scores  # what might tell unknown bags

A bag has 8 to 14 pictures, of which 30 to 50% (`--shares`) are of its kind: two genera of
synthflora, or five variants of Aircraft. There are three kinds, and bags with nothing of their own.
A head learns from `--bags` of each, whose folds calibrate it, and is tested on as many others, and
on bags of three further kinds, which are in no bag that it has learnt from. No picture is in two
bags that are learnt from, or in two of one test. A seed draws kinds, bags, and which half of all
pictures is learnt from.
"""

import argparse
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from benchmarks.bags import fit, flowers, gain, real
from clipfg.confidence import AnswerColumns, AnswerOptions, Confidence
from clipfg.confidence.ood_detector import BAG_SCORES, reference_of, score
from clipfg.functional.novelty import FALSE_ALARMS, auroc
from clipfg.heads import FeatureSets
from clipfg.heads.bags.base import BagHead
from clipfg.heads.support import Support
from clipfg.types import ClassList

KEYS, STRANGE = 3, 3
KNOWN, UNKNOWN = range(KEYS + 1), range(KEYS + 1, KEYS + STRANGE + 1)
LEVEL, TARGETS = 0.9, (0.1, 0.3)
FILE = "fgvc.npz"
Drawn = tuple[FeatureSets, Tensor]
World = tuple[Drawn, Drawn, Drawn]


def kinds(classes: int, seed: int) -> Tensor:
    """The kind of each class: 1 to 6 have a twentieth each, but at least two; 0 the rest."""
    own = max(2, classes // 20)
    found = torch.zeros(classes, dtype=torch.long)
    order = torch.randperm(classes, generator=torch.Generator().manual_seed(seed))
    found[order[: (KEYS + STRANGE) * own]] = torch.arange(1, KEYS + STRANGE + 1).repeat(own)
    return found


def drawn(x: Tensor, kind: Tensor, which: range, args: argparse.Namespace, seed: int) -> Drawn:
    """`--bags` of each kind in `which`, and their kinds. No row is in two of them."""
    low, high = args.shares
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(x), generator=generator)
    stock = [iter(order[kind[order] == k].tolist()) for k in range(int(kind.max()) + 1)]
    rows, sizes = [], []
    for own in [*which] * args.bags:
        size = int(torch.randint(8, 15, (1,), generator=generator))
        share = low + (high - low) * float(torch.rand(1, generator=generator))
        count = round(share * size)
        rows += [*islice(stock[own], count), *islice(stock[0], size - count)]
        sizes.append(size)
    assert len(rows) == sum(sizes), "there are too few pictures for so many bags"
    offsets = torch.tensor([0, *sizes]).cumsum(0)
    return FeatureSets(x[rows], offsets), torch.tensor([*which] * args.bags)


def worlds(x: Tensor, y: Tensor, args: argparse.Namespace) -> Iterator[tuple[int, World]]:
    """Of each seed: bags to learn from, to test on, and of further kinds."""
    for seed in range(args.seeds):
        kind = kinds(int(y.max()) + 1, seed)[y]
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
        half = order < len(x) // 2
        learnt = drawn(x[half], kind[half], KNOWN, args, seed)
        tested, unknown = (
            drawn(x[~half], kind[~half], which, args, seed) for which in (KNOWN, UNKNOWN)
        )
        yield seed, (learnt, tested, unknown)


def table(args: argparse.Namespace) -> None:
    judge = {"promises": promises, "scores": scores}[args.part]
    print(f"Means of {args.seeds} seeds with 95% intervals; {args.bags} bags of each kind")
    sources = {"synthflora": lambda: flowers(args.cache_dir, 4000), "aircraft": lambda: real(FILE)}
    columns: list[str] = []
    for data in args.only or sources:
        x, y = (torch.cat(part) for part in sources[data]())
        for name in args.heads or ("abmil", "bag-mean"):
            found = []
            for seed, world in worlds(x, y, args):
                (sets, labels), _, _ = world
                head = fit(name, (sets, labels, labels), seed, args.steps)
                found.append(judge(head, world, seed))
            if not columns:
                columns = [key for key in found[0] if not key.startswith("over")]
                print(f"| data | head | {' | '.join(columns)} |")
                print(f"|---|---|{'--:|' * len(columns)}")
            print(f"| {data} | {name} | {' | '.join(cells(found, columns))} |", flush=True)


def cells(found: list[dict[str, Any]], columns: list[str]) -> Iterator[str]:
    for column in columns:
        values = [one[column] for one in found if one[column] is not None]
        if column == "score":
            yield ", ".join(f"{name} {count}" for name, count in Counter(values).most_common())
        elif column.startswith("wrong"):
            over = sum(one[f"over {column}"] for one in found)
            yield f"{np.mean(values):.3f}, over in {over}" if values else "-"
        else:
            yield gain(values).lstrip("+")


def promises(head: BagHead, world: World, seed: int) -> dict[str, Any]:
    """What one head's answers for bags of known and of unknown kinds show."""
    (learnt, own), (sets, labels), (unknown, _) = world
    support = Support(learnt.means, own, head.classes_, bags=learnt)
    confidence = Confidence.fit(cast(Any, head), support, seed=seed, unknown=True)
    found = kept_promises(confidence, head.logits(sets), labels, TARGETS)
    detector = confidence.ood
    assert detector is not None
    for what, bags in (("known called unknown", sets), ("unknown found", unknown)):
        calibrated = confidence.calibrated(head.logits(bags))
        found[what] = portion(detector.familiarity(calibrated, bags) <= FALSE_ALARMS)
    return found | {"score": detector.score}


def kept_promises(
    confidence: Confidence, logits: Tensor, labels: Tensor, targets: tuple[float, ...]
) -> dict[str, Any]:
    """How often sets hold the true class, and answers at each target error are wrong."""
    classes = ClassList(tuple(map(str, range(logits.shape[1]))))
    shares = confidence.calibrated(logits).softmax(dim=1)
    right = shares.argmax(dim=1) == labels
    found: dict[str, Any] = {"right": portion(right)}
    inside = AnswerColumns(AnswerOptions(None, LEVEL), classes, confidence).sets(shares)
    assert inside is not None
    found[f"in sets at {LEVEL}"] = portion(inside.gather(1, labels[:, None]))
    found["classes in a set"] = float(inside.sum(dim=1).double().mean())
    for target in targets:
        answered = AnswerColumns(AnswerOptions(target), classes, confidence).answered(shares)
        wrong = portion(~right[answered]) if answered.any() else None
        found[f"answered at {target}"] = portion(answered)
        found[f"wrong at {target}"] = wrong
        found[f"over wrong at {target}"] = wrong is not None and wrong > target
    return found


def scores(head: BagHead, world: World, seed: int) -> dict[str, Any]:  # noqa: ARG001
    """AUROC of known against unknown bags, by what might tell them apart."""
    (learnt, labels), (tested, _), (unknown, _) = world
    support = Support(learnt.means, labels, head.classes_, bags=learnt)
    found = {}
    for name in BAG_SCORES:
        reference = reference_of(name, support)
        values = [score(name, head.logits(x), x, reference) for x in (tested, unknown)]
        found[name] = auroc(*values)
    return found


def portion(which: Tensor) -> float:
    return float(which.double().mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("part", choices=("promises", "scores"))
    parser.add_argument("--only", nargs="+", help="names of data sets")
    parser.add_argument("--heads", nargs="+")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--bags", type=int, default=30, help="of each kind to learn from")
    parser.add_argument(
        "--shares", nargs=2, type=float, default=(0.3, 0.5), help="of a bag that is of its kind"
    )
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--cache-dir", type=Path, help="where embeddings are kept")
    args = parser.parse_args()
    torch.set_num_threads(1)
    table(args)


if __name__ == "__main__":
    main()
