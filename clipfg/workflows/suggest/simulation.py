"""Would it have paid? Strategies that ask for labels, replayed on data whose labels are known."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from clipfg.acquisition.base import STRATEGIES, UnlabelledPool
from clipfg.errors import DataError
from clipfg.evaluation.curves.grid import Grid, GridCell
from clipfg.evaluation.statistics.repeated import Difference, accuracy_over, difference_over
from clipfg.types import Estimate
from clipfg.workflows.suggest.probabilities import CalibratedClassifier

BASELINE = "random"
POOL = 0.8
"""The share of the images that each seed may ask about: what a strategy without chance would
choose differs from seed to seed too."""
DOUBLINGS = 4

Hits = NDArray[np.bool_]


@dataclass(frozen=True)
class SimulationResult:
    """Hits `[seeds, n]` of each strategy at each number of labels.

    `ceilings` are the shares of test items, over seeds, whose class has a label by then: the best
    accuracy that any head could reach.
    """

    budgets: tuple[int, ...]
    hits: dict[str, list[Hits]]
    ceilings: dict[str, list[float]]
    groups: NDArray[np.int64] | None = None
    """Of the test items `[n]`, which of them are of one thing."""

    def grid(self, title: str = "") -> Grid:
        """Strategies by labels, to look at; each against random on the same items."""
        cells = []
        for name, all_hits in self.hits.items():
            for place, (labels, hits) in enumerate(zip(self.budgets, all_hits, strict=True)):
                against = None
                if name != BASELINE:
                    against = difference_over(self.hits[BASELINE][place], hits, self.groups)
                ceiling = f"{100 * self.ceilings[name][place]:.1f}"
                accuracy = accuracy_over(hits, self.groups)
                cells.append(GridCell(name, str(labels), labels, accuracy, against, ceiling))
        more = "ceiling, %"
        return Grid(tuple(cells), BASELINE, "accuracy", "labels", {"data": title}, more)

    def rows(self) -> list[dict[str, object]]:
        """A row for each strategy and number of labels, in percent."""
        ceilings = [share for name in self.hits for share in self.ceilings[name]]
        nothing = Difference(Estimate(0.0, 0.0, 0.0), 1.0)  # random against itself
        rows: list[dict[str, object]] = []
        for cell, ceiling in zip(self.grid().cells, ceilings, strict=True):
            against = cell.against or nothing
            rows.append(
                {
                    "strategy": cell.series,
                    "labels": int(cell.column),
                    **_in_percent("accuracy", "low", "high", cell.accuracy),
                    "ceiling": round(100 * ceiling, 2),
                    **_in_percent(
                        "against_random", "against_low", "against_high", against.estimate
                    ),
                    "p": float(f"{against.p_value:.2g}"),
                }
            )
        return rows


def _in_percent(value: str, low: str, high: str, estimate: Estimate) -> dict[str, float]:
    shares = {value: estimate.value, low: estimate.low, high: estimate.high}
    return {key: round(100 * share, 2) for key, share in shares.items()}


def budgets_from(first: int, images: int) -> tuple[int, ...]:
    """`first` labels and up to four doublings within the pool. Raises `DataError` for too few."""
    most = int(POOL * images)
    found = tuple(first << i for i in range(DOUBLINGS + 1) if first << i <= most)
    if not found:
        raise DataError(
            f"Expected at least {int(first / POOL) + 1:,} labelled images to ask for {first:,}"
            f" labels, got {images:,}; try a smaller --budget."
        )
    return found


def replay(
    strategies: Sequence[str],
    features: Float[Tensor, "n d"],
    labels: Int[Tensor, " n"],
    test: tuple[Float[Tensor, "m d"], Int[Tensor, " m"]],
    budgets: Sequence[int],
    seeds: Sequence[int],
    progress: Callable[[int, int], None] | None = None,
    groups: Int[Tensor, " n"] | None = None,
    test_groups: NDArray[np.int64] | None = None,
) -> SimulationResult:
    """Ask for labels in rounds, fit a head on those so far, and judge it on the test images.

    Every strategy begins with nothing labelled and no texts, and gets the same part of the images
    at the same seed. A test image of a class that has no label yet counts as wrong. Images of one
    of the `groups` are held out together, and those of one of the `test_groups` not independent.
    """
    names = list(dict.fromkeys((BASELINE, *strategies)))
    hits: dict[str, list[Hits]] = {}
    ceilings: dict[str, list[float]] = {}
    done, total = 0, len(names) * len(seeds)
    for name in names:
        runs = []
        for seed in seeds:
            runs.append(_one(name, features, labels, test, budgets, seed, groups))
            done += 1
            if progress is not None:
                progress(done, total)
        rounds = list(zip(*runs, strict=True))  # of each, what every seed came to
        hits[name] = [np.stack([row for row, _ in found]) for found in rounds]
        ceilings[name] = [float(np.mean([share for _, share in found])) for found in rounds]
    return SimulationResult(tuple(budgets), hits, ceilings, test_groups)


def _one(
    name: str,
    features: Tensor,
    labels: Tensor,
    test: tuple[Tensor, Tensor],
    budgets: Sequence[int],
    seed: int,
    groups: Tensor | None,
) -> list[tuple[NDArray[np.bool_], float]]:
    """Hits after each round, and the share of test images whose class has a label."""
    ask = STRATEGIES.get(name)
    generator = torch.Generator().manual_seed(seed)
    left = torch.randperm(len(features), generator=generator)[: int(POOL * len(features))]
    known = left[:0]
    classifier: CalibratedClassifier | None = None
    found = []
    for budget in budgets:
        x = features[left]
        probabilities = classifier.probabilities(x) if classifier is not None else None
        pool = UnlabelledPool(x, features[known], probabilities, seed)
        chosen = ask(pool, budget - len(known))
        known = torch.cat([known, left[chosen]])
        kept = torch.ones(len(left), dtype=torch.bool)
        kept[chosen] = False
        left = left[kept]
        together = None if groups is None else groups[known]
        classifier = CalibratedClassifier.of(
            features[known], labels[known], seed=seed, groups=together
        )
        hits = (classifier.predict(test[0]) == test[1]).numpy()
        found.append((hits, float(torch.isin(test[1], classifier.classes).double().mean())))
    return found
