"""Every coreset strategy on three data sets: accuracy of the keys that it leaves of 16 a class.

    python -m benchmarks.coresets
    python -m benchmarks.coresets --only synthflora --seeds 3 --strategies discriminant,keco-online
    python -m benchmarks.coresets --growth 1000,10000,100000

FGVC-Aircraft and Caltech101 as features of CLIP ViT-B/32, from `../shared` beside the checkout
(skipped where that is missing), and the built-in drawn flowers with the built-in encoder, as they
are and by their genus: 20 classes of several species each. Support: 16 labelled images of each
class (of each species); test images have no say in any key. KeCO starts from a random m of each
class and moves them by all others.

Cells: per cent right by the nearest key, half the width of its 95 % interval over test images
and seeds, and after the slash by the softmax-weighted vote of the five nearest (the head `knn`). A
star: paired difference from class-mean at the same budget, p < 0.05. Seconds are of processor time,
for one run at 10 keys a class.

`--growth`: wall-clock seconds for 5 keys of each class, over so many drawn features, 512 wide, 100
of each class.
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from clipfg.coresets import CORESETS, CoresetKeys, make_coreset
from clipfg.data import synthflora
from clipfg.evaluation.statistics.repeated import accuracy_over, difference_over
from clipfg.heads.knn import KNN
from clipfg.options import EmbedOptions, resolve
from clipfg.workflows.embed import run_embed
from clipfg.workflows.session import Session

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "clip-features"
BUDGETS = (1, 2, 5, 10)
FIRST = "class-mean"
Parts = tuple[Tensor, Tensor, Tensor, Tensor]
"""Support features and labels, test features and labels."""


def strategies() -> list[str]:
    names = [FIRST, *(name for name in CORESETS if name != FIRST)]
    return [
        spec
        for name in names
        for spec in (name, *(f"{name}:{target}" for target in CORESETS.get(name).targets[1:]))
    ]


def from_file(path: Path) -> Parts:
    data = np.load(path, allow_pickle=False)

    def rows(name: str) -> Tensor:
        return normalize(torch.tensor(data[name].astype(np.float32)), dim=1)

    labels, truth = torch.tensor(data["keys_16_l"]).long(), torch.tensor(data["test_l"]).long()
    return rows("keys_16"), labels, rows("test_f"), truth


def drawn(cache_dir: Path) -> Parts:
    parts = []
    for split in ("train", "test"):
        options = {"dataset": "synthflora", "split": split, "precision": "fp32"}
        with Session(resolve(EmbedOptions, {**options, "cache_dir": cache_dir})) as session:
            features = run_embed(session).features
        parts += [torch.from_numpy(features.pooled), torch.from_numpy(features.labels)]
    return tuple(parts)


def by_genus(parts: Parts) -> Parts:
    classes = synthflora.classes()
    genera = [classes.parents[name] for name in classes.names]
    order = {genus: i for i, genus in enumerate(dict.fromkeys(genera))}
    genus = torch.tensor([order[name] for name in genera])
    x, labels, queries, truth = parts
    return x, genus[labels], queries, genus[truth]


def sets(only: Sequence[str], cache_dir: Path) -> Iterator[tuple[str, Parts]]:
    for name, file in (("aircraft", "fgvc.npz"), ("caltech", "caltech101.npz")):
        if name in only and (SHARED / file).exists():
            yield name, from_file(SHARED / file)
    if "synthflora" in only:
        flowers = drawn(cache_dir)
        yield "synthflora", flowers
        yield "synthflora by genus", by_genus(flowers)


def predictions(coreset: CoresetKeys, queries: Tensor, k: int) -> NDArray[np.int64]:
    if k == 1:
        return coreset.labels[(queries @ coreset.keys.T).argmax(dim=1)].numpy()
    head = KNN(k=k).fit(coreset.keys, coreset.labels)
    return torch.cat([head.logits(x).argmax(dim=1) for x in queries.split(1000)]).numpy()


def cell(hits: NDArray[np.bool_], votes: NDArray[np.bool_], first: NDArray[np.bool_]) -> str:
    top1 = accuracy_over(hits)
    star = "*" if difference_over(first, hits).p_value < 0.05 else ""
    half = 50 * (top1.high - top1.low)
    return f"{100 * top1.value:.1f} ±{half:.1f}{star} / {100 * votes.mean():.1f}"


def table(title: str, parts: Parts, seeds: Sequence[int], names: Sequence[str]) -> None:
    x, labels, queries, truth = parts[0], parts[1], parts[2], parts[3].numpy()
    classes = len(labels.unique())
    print(f"\n### {title}\n\n{len(x):,} to condense, {len(truth):,} to test, {classes} classes.\n")
    print("| strategy | " + " | ".join(f"{m} per class" for m in BUDGETS) + " | s |")
    print("|---" * (len(BUDGETS) + 2) + "|")
    firsts = {}
    for name in names:
        cells = []
        own_seeds = seeds if "seed" in make_coreset(name).config else seeds[:1]
        for budget in BUDGETS:
            start = time.process_time()
            made = [make_coreset(name, seed).condense(x, labels, budget) for seed in own_seeds]
            seconds = (time.process_time() - start) / len(made)
            hits, votes = (
                np.stack([predictions(each, queries, k) == truth for each in made]) for k in (1, 5)
            )
            firsts.setdefault(budget, hits)
            cells.append(cell(hits, votes, firsts[budget]))
        print(f"| {name} | {' | '.join(cells)} | {seconds:.1f} |", flush=True)
    whole = CoresetKeys(x, labels, torch.arange(len(x)))
    hits, votes = (predictions(whole, queries, k)[None] == truth for k in (1, 5))
    full = cell(hits, votes, firsts[BUDGETS[0]])
    print(f"| full support ({len(x):,} keys) | {full} |" + " |" * len(BUDGETS))


def growth(sizes: Sequence[int]) -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(max(sizes)) // 100
    centres = normalize(torch.randn(int(labels[-1]) + 1, 512, generator=generator), dim=1)
    noise = 0.05 * torch.randn(len(labels), 512, generator=generator)
    x = normalize(centres[labels] + noise, dim=1)
    print("| strategy | " + " | ".join(f"{n:,}" for n in sizes) + " |")
    print("|---" * (len(sizes) + 1) + "|")
    for name in [FIRST, *(name for name in CORESETS if name != FIRST)]:
        make_coreset(name).condense(x[:200], labels[:200], 5)  # loads what it needs
        times = []
        for n in sizes:
            start = time.perf_counter()
            make_coreset(name).condense(x[:n], labels[:n], 5)
            times.append(time.perf_counter() - start)
        print(f"| {name} | {' | '.join(f'{seconds:.2f}' for seconds in times)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", help="names of data sets with commas between")
    parser.add_argument("--strategies", help="beside class-mean, with commas between; all without")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--cache-dir", type=Path, help="where embeddings are kept")
    parser.add_argument("--growth", help="numbers of features with commas between")
    given = parser.parse_args()
    if given.growth:
        growth([int(n) for n in given.growth.split(",")])
        return
    names = [FIRST, *given.strategies.split(",")] if given.strategies else strategies()
    only = given.only.split(",") if given.only else ["aircraft", "caltech", "synthflora"]
    for title, parts in sets(only, given.cache_dir or Path(mkdtemp())):
        table(title, parts, range(given.seeds), names)


if __name__ == "__main__":
    main()
