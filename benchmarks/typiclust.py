"""What TypiClust gains by a greedy start of its k-means, at one label a class.

    python -m benchmarks.typiclust --features ../shared/data/clip-features

Each image of the `val` part of an npz (on which the start was chosen), and of its `test` part, gets
the class of the labelled image that is most alike; the labelled ones are left out.
scikit-activeml's TypiClust is run on the same images where it is installed.
"""

import argparse
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from clipfg.acquisition.base import UnlabelledPool
from clipfg.acquisition.typiclust import typiclust
from clipfg.functional import kmeans
from clipfg.functional.similarity import unit_norm

SEEDS = 5
MOST = 2_500
"""Images of a part."""


def plain(rows: Tensor, k: int, generator: torch.Generator) -> Tensor:
    """k-means++ that draws one row at a time."""
    first = int(torch.randint(len(rows), (1,), generator=generator))
    return kmeans.draw_apart(first, k, lambda i: (rows - rows[i]).square().sum(dim=1), generator)


Choose = Callable[[Tensor, int, int], Tensor]
"""The rows of so many images, by a seed."""


def ours(x: Tensor, count: int, seed: int) -> Tensor:
    return typiclust(UnlabelledPool(x, x[:0], None, seed), count)


def theirs(x: Tensor, count: int, seed: int) -> Tensor:
    from skactiveml.pool import TypiClust

    unlabelled = np.full(len(x), np.nan)
    chosen = TypiClust(random_state=seed).query(x.numpy(), unlabelled, batch_size=count)
    return torch.from_numpy(np.asarray(chosen, dtype=np.int64))


def score(choose: Choose, x: Tensor, labels: Tensor, seed: int) -> tuple[float, float]:
    """Accuracy on the other images, and the share of classes that have a label, in per cent."""
    classes = int(labels.max()) + 1
    chosen = choose(x, classes, seed)
    named = labels[chosen][(x @ x[chosen].T).argmax(dim=1)]
    rest = torch.ones(len(x), dtype=torch.bool)
    rest[chosen] = False
    right = (named == labels)[rest].float().mean()
    return 100 * float(right), 100 * len(labels[chosen].unique()) / classes


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--features", type=Path, required=True, help="a folder of npz files")
    given = parser.parse_args()
    greedy = kmeans._start
    rows_of: dict[str, tuple[Choose, Callable[..., Tensor]]] = {
        "plain start": (ours, plain),
        "greedy start": (ours, greedy),
    }
    with suppress(ImportError):
        import skactiveml.pool  # noqa: F401

        rows_of["scikit-activeml"] = (theirs, greedy)
    for path in sorted(given.features.glob("*.npz")):
        data = np.load(path, allow_pickle=False)
        for part in ("val", "test"):
            x = unit_norm(torch.from_numpy(data[f"{part}_f"].astype(np.float32)))
            labels = torch.from_numpy(data[f"{part}_l"]).long()
            rows = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))[:MOST]
            for name, (choose, start) in rows_of.items():
                kmeans._start = start
                seeds = range(SEEDS)
                found = np.array([score(choose, x[rows], labels[rows], seed) for seed in seeds])
                accuracy, covered = found.mean(axis=0)
                print(
                    f"{path.stem:12}{part:6}{len(rows):6,} images, {name:16}accuracy"
                    f" {accuracy:.1f} (sd {found[:, 0].std():.1f}), classes found {covered:.1f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
