"""Votes of neighbours, tempered by `exp(s / t)` and capped by class: does choosing them help?

    python -m benchmarks.votes --features FOLDER [FOLDER ...] [--draws 4] [--part val]

Each npz is as `benchmarks.fewshot` takes it, or a file of `clipfg embed` with splits (train is the
support, test is asked). The head `knn`, on images alone, with what folds of the support choose: its
own `k` at `t = 0.02` (as it is), and beside that a plain vote; `t` of four; how many votes a class
may have at most (1, 2, 3, 5 or any number); both. Then a plain vote of 4 demonstrations, and their
tempered one as in `clipfg icl`; the same by `--metric whitened`. Supports of so many images a
class, and uneven ones: each class has a share `u^2` of its images, `u` drawn from 0 to 1. Cells are
top-1 in percent on at most 2,500 images, and the difference from the head as it is (for four shown,
from their plain vote) with its 95 % interval over images and draws.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.fewshot import Features, draws_of
from clipfg.evaluation.statistics.repeated import difference_over
from clipfg.functional.similarity import unit_norm
from clipfg.heads.knn import KS
from clipfg.heads.support import Support
from clipfg.heads.whitened_mean import WhitenedMean
from clipfg.icl.selection import TEMPERATURE

QUERIES = 2500
ANY, PLAIN, NOW = 99, 1e9, 0.02
TEMPERATURES, CAPS = (NOW, 0.01, 0.005, 0.05), (ANY, 1, 2, 3, 5)
Rule = tuple[int, float, int]
"""How many neighbours vote, the temperature of their votes, and the most that count of a class."""
RULES: dict[str, list[Rule]] = {
    "as it is": list(product(KS, (NOW,), (ANY,))),
    "plain vote": list(product(KS, (PLAIN,), (ANY,))),
    "t chosen": list(product(KS, TEMPERATURES, (ANY,))),
    "cap chosen": list(product(KS, (NOW,), CAPS)),
    "both": list(product(KS, TEMPERATURES, CAPS)),
}
SHOWN: dict[str, list[Rule]] = {
    "4 shown": [(4, PLAIN, ANY)],
    "tempered": [(4, TEMPERATURE, ANY)],
}
WHITENED = "whitened: "


class Neighbours:
    """The nearest keys of some queries, once for all rules."""

    def __init__(self, queries: Tensor, support: Support) -> None:
        near = (queries @ support.features.T).topk(min(max(KS), len(support)), dim=1)
        self.similar, self.labels = near.values, support.labels[near.indices]
        same = self.labels[:, :, None] == self.labels[:, None, :]
        self.nearer = same.tril(-1).sum(dim=2)
        """How many nearer ones are of its class."""
        self.classes = support.classes

    def answers(self, rule: Rule) -> Tensor:
        """The class with most votes; of equal ones that of the nearest, as demonstrations vote."""
        k, temperature, cap = rule
        similar = self.similar[:, :k].masked_fill(self.nearer[:, :k] >= cap, -torch.inf)
        ties = 1 + 1e-3 * 0.5 ** torch.arange(similar.shape[1])
        votes = (similar / temperature).softmax(dim=1) * ties
        shares = similar.new_zeros(len(similar), self.classes)
        return shares.scatter_add(1, self.labels[:, :k], votes).argmax(dim=1)


def chosen(support: Support, rules: Sequence[Rule]) -> Rule:
    """The rule that classifies most images of held-out folds; of equal ones the first."""
    if len(rules) == 1:
        return rules[0]
    right = dict.fromkeys(rules, 0)
    for train, held in support.splits(0):
        near = Neighbours(support.features[held], train)
        for rule in rules:
            right[rule] += int((near.answers(rule) == support.labels[held]).sum())
    return max(right, key=lambda rule: right[rule])


class Embedded(Features):
    """A file of `clipfg embed`: the train split is the support, at most 16 images a class."""

    def __init__(self, path: Path) -> None:
        self.data = np.load(path, allow_pickle=False)
        self.texts = None
        counts = np.bincount(self._labels("train"))
        self.most = max(k for k in (1, 2, 4, 8, 16) if (counts[counts > 0] >= k).all())
        self.shots = [k for k in (1, 2, 4, 8, 16) if k <= self.most]

    def _labels(self, split: str) -> NDArray[np.int64]:
        return self.data["labels"][self.data["splits"] == split]

    def keys(self, shots: int) -> tuple[Tensor, Tensor]:
        """The first so many of each class, numbered from 0 without gaps."""
        labels = self._labels("train")
        kept = np.array([(labels[:i] == own).sum() < shots for i, own in enumerate(labels)])
        return self._rows_of("train")[kept], self._dense(labels[kept])

    def judged(self, part: str) -> tuple[Tensor, Tensor]:
        """Of the test split, those whose class is in the support."""
        labels = self._labels(part)
        known = np.isin(labels, self._labels("train"))
        return self._rows_of(part)[known], self._dense(labels[known])

    def _rows_of(self, split: str) -> Tensor:
        return unit_norm(torch.from_numpy(self.data["features"][self.data["splits"] == split]))

    def _dense(self, labels: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(np.searchsorted(np.unique(self._labels("train")), labels))


def supports(labels: Tensor, features: Features, draws: int) -> Iterator[tuple[str, list[Tensor]]]:
    """Rows of the supports, by what they are."""
    for shots in features.shots[1:]:
        rows = draws_of(labels, shots, features.most, draws)
        yield str(shots), [torch.from_numpy(own) for own in rows][:draws]
    uneven = []
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        each = [np.flatnonzero(labels.numpy() == own) for own in range(int(labels.max()) + 1)]
        kept = [rng.permutation(own)[: max(1, int(len(own) * rng.random() ** 2))] for own in each]
        uneven.append(torch.from_numpy(np.concatenate(kept)))
    yield "uneven", uneven


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--features", type=Path, nargs="+", required=True, help="folders of npz")
    parser.add_argument("--draws", type=int, default=4)
    parser.add_argument("--part", default="test", choices=("test", "val"), help="to judge by")
    given = parser.parse_args()
    columns = [*RULES, *SHOWN, *(WHITENED + name for name in SHOWN)]
    print(f"| data | images of a class | {' | '.join(columns)} |")
    print("|---|--:|" + "--:|" * len(columns))
    for path in sorted(path for folder in given.features for path in folder.glob("*.npz")):
        known = np.load(path, allow_pickle=False)
        features = Embedded(path) if "splits" in known else Features(path)
        (x, labels), (queries, truth) = features.keys(features.most), features.judged(given.part)
        some = torch.randperm(len(queries), generator=torch.Generator().manual_seed(0))[:QUERIES]
        for kind, rows in supports(labels, features, given.draws):
            hits: dict[str, list[Tensor]] = {name: [] for name in columns}
            for own in rows:
                support = Support.of("votes", x[own], labels[own], None)
                near = Neighbours(queries[some], support)
                for name, rules in (RULES | SHOWN).items():
                    hits[name].append(near.answers(chosen(support, rules)) == truth[some])
                head = WhitenedMean(alpha=1.0).fit(x[own], labels[own])
                turned = replace(support, features=head.turn(support.features))
                near = Neighbours(head.turn(queries[some]), turned)
                for name, (rule,) in SHOWN.items():
                    hits[WHITENED + name].append(near.answers(rule) == truth[some])
            tables = {name: torch.stack(own).numpy() for name, own in hits.items()}
            print(f"| {path.stem} | {kind} | {' | '.join(cells(tables))} |", flush=True)


def cells(tables: dict[str, NDArray[np.bool_]]) -> Iterator[str]:
    for name, own in tables.items():
        plain = name.removeprefix(WHITENED)
        first = name.replace("tempered", "4 shown") if plain in SHOWN else "as it is"
        text = f"{100 * own.mean():.1f}"
        if name != first:
            gain = difference_over(tables[first], own).estimate
            text += f" ({100 * gain.value:+.1f} ±{50 * (gain.high - gain.low):.1f})"
        yield text


if __name__ == "__main__":
    main()
