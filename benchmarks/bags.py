"""Heads on bags: instances found without their labels, rules of bags, published sets, and size.

    python -m benchmarks.bags shares     # instance AUC by the share of key instances
    python -m benchmarks.bags rules      # what a label of a bag may mean, and who learns it
    python -m benchmarks.bags classic    # Elephant, Fox and Tiger, ten folds
    python -m benchmarks.bags fit        # seconds of the processor to learn
    python -m benchmarks.bags scale      # seconds and memory up to a million instances
    python -m benchmarks.bags slide      # the same of cutting a picture of 40,000 x 40,000 pixels

Real features and the published sets come from `../shared` beside the checkout and are skipped where
that is missing. With `--steps` all heads take as many; without, each chooses on folds of its
training bags.
"""

import argparse
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import NamedTemporaryFile

import numpy as np
import torch
from torch import Tensor

import clipfg
from clipfg.data import synthflora
from clipfg.data.sources import read
from clipfg.evaluation.statistics.repeated import accuracy_over
from clipfg.functional.novelty import auroc
from clipfg.heads import HEADS, FeatureSets
from clipfg.heads.bags.base import BagHead
from clipfg.options import BagsOptions, resolve
from clipfg.types import Manifest
from clipfg.workflows.bags.tiling import cut
from clipfg.workflows.run_folder import Failures

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
ALL = ("dsagl", "abmil", "dsmil", "transmil", "bag-max", "bag-mean", "mi-net")
SHARES = (0.05, 0.1, 0.2, 0.5)
PUBLISHED = {"elephant": 86.8, "fox": 61.5, "tiger": 83.9}
PASSED = 0.9
Bags = tuple[FeatureSets, Tensor, Tensor]
"""Bags, their labels, and which instances are the key ones."""


def fit(name: str, bags: Bags, seed: int, steps: int | None) -> BagHead:
    kind: Callable[..., BagHead] = HEADS.get(name)  # type: ignore[assignment]
    return kind(negative=0, seed=seed, steps=steps).fit(bags[0], bags[1])


def answers(head: BagHead, sets: FeatureSets) -> tuple[Tensor, Tensor]:
    """The margin of class 1 for each bag, and the score of each instance."""
    logits, scores = (torch.cat(part) for part in zip(*head.read(sets), strict=True))
    return logits[:, 1] - logits[:, 0], scores[:, 0]


def auc(scores: Tensor, positive: Tensor) -> float:
    return auroc(-scores[~positive], -scores[positive])


def gain(values: list[float]) -> str:
    """The mean, and half the width of Student's 95% interval over seeds."""
    from scipy.stats import t

    reach = t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5
    return f"{np.mean(values):+.3f} ±{reach:.3f}"


# Instances by share


def hidden(key: Tensor, other: Tensor, share: float, seed: int, bags: int = 100) -> Bags:
    """Bags of 15 to 25 rows, drawn from `other`; half of them have a share of rows of `key`."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(bags) % 2
    sizes = torch.randint(15, 26, (bags,), generator=generator)
    rows, marks = [], []
    for label, size in zip(labels.tolist(), sizes.tolist(), strict=True):
        count = max(1, round(share * size)) * label
        mark = torch.randperm(size, generator=generator) < count
        some = other[torch.randint(len(other), (size,), generator=generator)]
        some[mark] = key[torch.randint(len(key), (count,), generator=generator)]
        rows.append(some)
        marks.append(mark)
    offsets = torch.cat([torch.zeros(1, dtype=torch.long), sizes.cumsum(0)])
    return FeatureSets(torch.cat(rows), offsets), labels, torch.cat(marks)


def flowers(cache_dir: Path | None, limit: int = 2000) -> tuple[list[Tensor], list[Tensor]]:
    """Features of at most `limit` training and as many test pictures, and their genera."""
    taxonomy = synthflora.classes()
    genera = [taxonomy.parents[name] for name in taxonomy.names]
    order = {genus: i for i, genus in enumerate(dict.fromkeys(genera))}
    genus = torch.tensor([order[name] for name in genera])
    x, y = [], []
    for split in ("train", "test"):
        made = clipfg.embed(
            "synthflora", split=split, limit=limit, cache_dir=cache_dir, precision="fp32"
        ).features
        x.append(torch.from_numpy(made.pooled))
        y.append(genus[torch.from_numpy(made.labels)])
    return x, y


def real(file: str) -> tuple[list[Tensor], list[Tensor]]:
    data = np.load(SHARED / "clip-features" / file, allow_pickle=False)
    names = (("val_f", "val_l"), ("test_f", "test_l"))
    x = [torch.from_numpy(data[rows].astype(np.float32)) for rows, _ in names]
    return x, [torch.from_numpy(data[labels]) for _, labels in names]


def shares(args: argparse.Namespace) -> None:
    heads = args.heads or ("dsagl", "abmil")
    first, second = heads[:2]
    sources = {"synthflora": lambda: flowers(args.cache_dir)}
    if (SHARED / "clip-features").is_dir():
        sources |= {
            "aircraft": lambda: real("fgvc.npz"),
            "caltech101": lambda: real("caltech101.npz"),
        }
    columns = [f"{what}: {head}" for what in ("instances", "bags") for head in (*heads, "gain")]
    print(f"{first} less {second} at each seed, with the 95% interval over {args.seeds} seeds")
    print("| data | share | " + " | ".join(columns) + " |")
    print("|---|--:|" + "--:|" * len(columns), flush=True)
    for name in args.only or sources:
        x, y = sources[name]()
        # A class is the key of each seed, among those with the most pictures to draw from.
        often = torch.bincount(y[0]).argsort(descending=True)[: 2 * args.seeds]
        for share in args.shares or SHARES:
            found: dict[str, list[tuple[float, float]]] = {head: [] for head in heads}
            for seed in range(args.seeds):
                key = int(often[-1 - seed])
                train, test = (
                    hidden(rows[labels == key], rows[labels != key], share, 2 * seed + part)
                    for part, (rows, labels) in enumerate(zip(x, y, strict=True))
                )
                for head in heads:
                    bags, scores = answers(fit(head, train, seed, args.steps), test[0])
                    found[head].append((auc(scores, test[2]), auc(bags, test[1] == 1)))
            cells = []
            for i in (0, 1):
                cells += [f"{np.mean([one[i] for one in found[head]]):.3f}" for head in heads]
                pairs = zip(found[first], found[second], strict=True)
                cells.append(gain([a[i] - b[i] for a, b in pairs]))
            print(f"| {name} | {share:.0%} | {' | '.join(cells)} |", flush=True)


# Rules of bags

WIDTH = 16


def kinds(seed: int) -> Tensor:
    """Directions of kinds of instances: A, B and C."""
    q, _ = torch.linalg.qr(torch.randn(WIDTH, 3, generator=torch.Generator().manual_seed(seed)))
    return 6 * q.T


def ruled(
    rule: str, draw: int, test: bool, seed: int, bags: int = 120
) -> tuple[FeatureSets, Tensor]:
    """A draw of bags of noise with instances of some kinds, by a rule.

    `test` turns round what misleads.

    `one`: positive bags have an A. In training, negative ones have a B; in the test, positive ones.
    `several`: positive bags have an A and a B, negative ones two of one of them.
    `common`: positive bags have an A. All have C: in training more in positive bags, in the test
    more in negative ones.
    """
    rng = np.random.default_rng([seed, draw])
    a, b, c = kinds(seed).numpy()
    rows, offsets, labels = [], [0], np.arange(bags) % 2
    for label in labels:
        bag = rng.normal(size=(rng.integers(12, 20), WIDTH))
        places = iter(rng.permutation(len(bag)))
        if rule == "one":
            added = [a] * int(label) + [b] * int(label == test)
        elif rule == "several":
            added = [a, b] if label else [a, a] if rng.random() < 0.5 else [b, b]
        else:
            added = [a] * int(label) + [c] * int(rng.integers(4, 7) if label != test else 1)
        for kind in added:
            bag[next(places)] += kind
        rows.append(bag)
        offsets.append(offsets[-1] + len(bag))
    sets = FeatureSets(torch.from_numpy(np.concatenate(rows)).float(), torch.tensor(offsets))
    return sets, torch.from_numpy(labels)


def rules(args: argparse.Namespace) -> None:
    names = ("one", "several", "common")
    print("| head | " + " | ".join(f"{n}: as trained | {n}: turned round" for n in names) + " |")
    print("|---|" + "--:|" * (2 * len(names)), flush=True)
    for head in args.heads or ALL:
        cells = []
        for rule in names:
            found: dict[bool, list[float]] = {False: [], True: []}
            for seed in range(args.seeds):
                sets, labels = ruled(rule, 0, False, seed)
                fitted = fit(head, (sets, labels, labels), seed, args.steps)
                for turned in (False, True):
                    tested, truth = ruled(rule, 1 + turned, turned, seed)
                    found[turned].append(auc(answers(fitted, tested)[0], truth == 1))
            for turned in (False, True):
                lowest = min(found[turned])
                mark = "passes" if lowest >= PASSED else "fails"
                cells.append(f"{np.mean(found[turned]):.2f} {mark}")
        print(f"| {head} | {' | '.join(cells)} |", flush=True)


# Published sets


def classic(args: argparse.Namespace) -> None:
    heads = args.heads or ALL
    print("| set | repeats | " + " | ".join(heads) + " | ABMIL, published |")
    print("|---|--:|" + "--:|" * (len(heads) + 1), flush=True)
    for name in args.only or PUBLISHED:
        data = np.load(SHARED / "bags" / f"{name}.npz", allow_pickle=False)
        offsets = np.append(0, np.flatnonzero(np.diff(data["bag"])) + 1)
        offsets = np.append(offsets, len(data["bag"]))
        sets = FeatureSets(torch.from_numpy(data["features"]), torch.from_numpy(offsets))
        labels = torch.from_numpy(data["bag_label"].astype(np.int64))
        cells = []
        for head in heads:
            hits = np.zeros((args.repeats, len(labels)), dtype=bool)
            for repeat in range(args.repeats):
                folds = torch.from_numpy(data["folds"][repeat])
                for fold in range(10):
                    kept, held = folds != fold, folds == fold
                    fitted = fit(head, (sets[kept], labels[kept], labels), repeat, args.steps)
                    right = fitted.logits(sets[held]).argmax(dim=1) == labels[held]
                    hits[repeat, held.numpy()] = right.numpy()
            top1 = accuracy_over(hits)
            cells.append(f"{100 * top1.value:.1f} ({100 * top1.low:.1f} – {100 * top1.high:.1f})")
        row = (name, str(args.repeats), *cells, f"{PUBLISHED[name]}")
        print(f"| {' | '.join(row)} |", flush=True)


# Size


def sizes(most: int, d: int) -> Iterator[tuple[int, Tensor]]:
    """Bags of drawn half-precision features in a file, which is mapped and not read into memory."""
    with NamedTemporaryFile(suffix=".bin") as file:
        rows = torch.from_file(file.name, shared=True, size=most * d, dtype=torch.float16)
        rows = rows.view(most, d)
        for part in rows.split(10_000):
            part.copy_(torch.randn(part.shape, generator=torch.Generator().manual_seed(len(part))))
        size = 10_000
        while size <= most:
            yield size, rows[:size]
            size *= 10


def learning(args: argparse.Namespace) -> None:
    """100 drawn bags of 20 rows, 512 wide."""
    rows = torch.randn(2000, 512, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(100) % 2
    sets = FeatureSets(rows, torch.arange(0, 2001, 20))
    print("| head | processor seconds |\n|---|--:|", flush=True)
    for head in args.heads or ALL:
        own = time.process_time()
        fit(head, (sets, labels, labels), 0, args.steps)
        print(f"| {head} | {time.process_time() - own:.1f} |", flush=True)


def scale(args: argparse.Namespace) -> None:
    d = 256
    small = FeatureSets(torch.randn(400, d), torch.arange(0, 401, 10))
    labels = torch.arange(40) % 2
    print("| head | instances in one bag | seconds | processor seconds | MB more at the peak |")
    print("|---|--:|--:|--:|--:|", flush=True)
    for head in args.heads or ("dsagl", "abmil"):
        fitted = fit(head, (small, labels, labels), 0, 10)
        fitted.logits(small)
        for size, rows in sizes(args.most, d):
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            start, own = time.perf_counter(), time.process_time()
            for _ in fitted.read(FeatureSets(rows, torch.tensor([0, size]))):
                pass
            wall, own = time.perf_counter() - start, time.process_time() - own
            more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
            print(f"| {head} | {size:,} | {wall:.1f} | {own:.1f} | {more:,.0f} |", flush=True)


def slide(args: argparse.Namespace) -> None:  # noqa: ARG001
    """A TIFF of 2,500 stored parts, one in ten of which shows something."""
    import tifffile

    side, part = 40_000, 800
    rng = np.random.default_rng(0)
    shown = rng.integers(0, 256, (part, part, 3), dtype=np.uint8)
    blank = np.full_like(shown, 240)
    count = (side // part) ** 2
    with NamedTemporaryFile(suffix=".tif") as file:
        parts = (blank if i % 10 else np.roll(shown, i, axis=0) for i in range(count))
        form = {"tile": (part, part), "compression": "zlib", "photometric": "rgb"}
        tifffile.imwrite(file.name, parts, shape=(side, side, 3), dtype=np.uint8, **form)
        manifest = Manifest.build("slide", {"uri": [file.name], "bag": ["slide"]})
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start, own = time.perf_counter(), time.process_time()
        options = resolve(BagsOptions, {"tiles": part})
        tiling = cut(manifest, options, Failures())
        for uri in tiling.manifest.uris:
            read(uri)
        wall, own = time.perf_counter() - start, time.process_time() - own
        more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(
        f"{side:,} x {side:,} pixels ({side * side * 3 >> 20:,} MiB): {len(tiling.manifest):,} of"
        f" {count:,} tiles kept; {wall:.1f} s ({own:.1f} s of the processor), {more:,.0f} MB"
        " more at the peak"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parts = {
        "shares": shares,
        "rules": rules,
        "classic": classic,
        "fit": learning,
        "scale": scale,
        "slide": slide,
    }
    parser.add_argument("part", choices=parts)
    parser.add_argument("--only", nargs="+", help="names of data sets")
    parser.add_argument("--heads", nargs="+")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--shares", nargs="+", type=float, help="of key instances")
    parser.add_argument("--repeats", type=int, default=5, help="of the ten folds")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--most", type=int, default=1_000_000)
    parser.add_argument("--cache-dir", type=Path, help="where embeddings are kept")
    args = parser.parse_args()
    torch.set_num_threads(1)
    parts[args.part](args)


if __name__ == "__main__":
    main()
