"""Neighbours by cosine and on whitened directions: what a search finds, and how its labels vote.

    python -m benchmarks.metric --features FOLDER [FOLDER ...] [--draws 4] [--part val]

Each npz is as `benchmarks.fewshot` takes it. A store holds a support of so many images a class,
drawn as there, whose labels teach `--metric whitened`; at most 2,500 images of the test set are
the queries. Mean average precision of the images of a query's class; accuracy of the nearest one,
and of the vote of the four nearest, which `clipfg icl` calls the vote of 4 shown. Behind them what
`--metric whitened` has, with the 95 % interval of the difference over queries and draws. The last
column is of class texts, where they are known, in search of those test images.
"""

import argparse
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.fewshot import Features, draws_of
from clipfg.evaluation.statistics.repeated import difference_over
from clipfg.icl import vote
from clipfg.store import KeyStore
from clipfg.types import ClassList
from clipfg.workflows.metric import Metric, MetricName

SHOWN = 4
QUERIES = 2500
Hits = NDArray[np.bool_]


def mean_precision(similar: Tensor, relevant: Tensor) -> float:
    """Mean average precision of rows; those without anything relevant are left out."""
    similar, relevant = similar[relevant.any(dim=1)], relevant[relevant.any(dim=1)]
    ordered = relevant.gather(1, similar.argsort(dim=1, descending=True)).double()
    found = ordered.cumsum(dim=1) / torch.arange(1, ordered.shape[1] + 1)
    return float(((found * ordered).sum(dim=1) / ordered.sum(dim=1)).mean())


class Run:
    """What one metric makes of every draw."""

    def __init__(self) -> None:
        self.precisions: list[float] = []
        self.texts: list[float] = []
        self.nearest: list[Hits] = []
        self.votes: list[Hits] = []

    def add(self, metric: Metric, queries: Tensor, truth: Tensor, texts: Tensor | None) -> None:
        """One draw."""
        keys, labels = torch.from_numpy(metric.store.keys), torch.from_numpy(metric.store.labels)
        photos = metric.photos(queries)
        similar = photos @ keys.T
        self.precisions.append(mean_precision(similar, labels == truth[:, None]))
        near = similar.topk(min(SHOWN, len(keys)), dim=1)
        shown = labels[near.indices]
        self.nearest.append((shown[:, 0] == truth).numpy())
        pairs = zip(shown.tolist(), near.values.tolist(), strict=True)
        votes = [vote(*pair, int(labels.max()) + 1).argmax() for pair in pairs]
        self.votes.append((torch.stack(votes) == truth).numpy())
        if texts is not None:
            wanted = torch.arange(len(texts))[:, None] == truth
            found = metric.texts(texts, lambda: texts) @ photos.T
            self.texts.append(mean_precision(found, wanted))


def row(features: Features, shots: int, part: str, draws: int) -> str:
    (x, labels), (queries, truth) = features.keys(features.most), features.judged(part)
    some = torch.randperm(len(queries), generator=torch.Generator().manual_seed(0))[:QUERIES]
    names = ClassList(tuple(map(str, range(int(labels.max()) + 1))))
    runs: dict[MetricName, Run] = {"cosine": Run(), "whitened": Run()}
    for own in draws_of(labels, shots, features.most, draws):
        ids = [f"{i:06}" for i in own]
        items = pa.table({"id": ids, "uri": ids, "label": labels[own].numpy().astype(np.int32)})
        store = KeyStore.of(items, x[own].numpy(), classes=names)
        for name, run in runs.items():
            run.add(Metric.of(name, store), queries[some], truth[some], features.texts)
    plain, turned = runs.values()
    cells = [moved(plain.precisions, turned.precisions)]
    for before, after in ((plain.nearest, turned.nearest), (plain.votes, turned.votes)):
        gain = difference_over(np.stack(before), np.stack(after)).estimate
        cells.append(f"{moved(before, after)} ±{50 * (gain.high - gain.low):.1f}")
    cells.append(moved(plain.texts, turned.texts) if plain.texts else "")
    return " | ".join(cells)


def moved(before: list[float] | list[Hits], after: list[float] | list[Hits]) -> str:
    return f"{100 * np.mean(before):.1f} → {100 * np.mean(after):.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--features", type=Path, nargs="+", required=True, help="folders of npz")
    parser.add_argument("--draws", type=int, default=4)
    parser.add_argument("--part", default="test", choices=("test", "val"), help="to judge by")
    given = parser.parse_args()
    print("| data | shots | mAP | nearest | vote of 4 | mAP of texts |")
    print("|---|--:|--:|--:|--:|--:|")
    for path in sorted(path for folder in given.features for path in folder.glob("*.npz")):
        features = Features(path)
        for shots in features.shots:
            cells = row(features, shots, given.part, given.draws)
            print(f"| {path.stem} | {shots} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
