"""Heads fitted to bags, and their answers for bags that they have not learnt from.

No label of a tested bag enters this file.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from numpy.typing import NDArray
from torch import Tensor

from clipfg.functional.folds import stratified_folds
from clipfg.heads import HEADS, FeatureSets
from clipfg.heads.bags.base import BagHead
from clipfg.types import Progress


@dataclass(frozen=True)
class BagTrial:
    """One head's logits `[s, n, c]` of tested bags, a layer for each seed, and seconds of one fit.

    `scores` are those of the bags' instances by the first seed, a tensor `[r, k]` for each bag.
    """

    head: str
    logits: NDArray[np.float64]
    scores: list[Tensor]
    seconds: float


@dataclass(frozen=True)
class BagTrials:
    """The heads `names` on the same bags and seeds."""

    names: tuple[str, ...]
    negative: int | None
    seeds: Sequence[int]
    progress: Progress | None = None

    def fit(self, name: str, sets: FeatureSets, labels: Int[Tensor, " n"], seed: int) -> BagHead:
        """A fitted head."""
        kind: Any = HEADS.get(name)
        head: BagHead = kind(negative=self.negative, seed=seed)
        return head.fit(sets, labels)

    def on_test(
        self, sets: FeatureSets, labels: Int[Tensor, " n"], tested: FeatureSets
    ) -> tuple[list[BagTrial], BagHead]:
        """Every head with every seed, and the first one with the first."""
        whole = torch.arange(len(tested))
        parts = {seed: [(sets, labels, tested, whole)] for seed in self.seeds}
        return self._run(parts, len(tested))

    def on_folds(self, sets: FeatureSets, labels: Int[Tensor, " n"], most: int) -> list[BagTrial]:
        """Every bag by heads that were fitted to the other folds; each seed is another partition.

        The only bag of a class is never held out; there must be others.
        """
        held = (torch.bincount(labels)[labels] > 1).nonzero().flatten()
        place = torch.full_like(labels, -1)
        place[held] = torch.arange(len(held))
        parts = {}
        for seed in self.seeds:
            folds = stratified_folds(labels, seed, most)
            parts[seed] = [
                (
                    sets[folds != fold],
                    labels[folds != fold],
                    sets[folds == fold],
                    place[folds == fold],
                )
                for fold in range(int(folds.max()) + 1)
            ]
        return self._run(parts, len(held))[0]

    def _run(
        self, parts: dict[int, list[tuple[FeatureSets, Tensor, FeatureSets, Tensor]]], n: int
    ) -> tuple[list[BagTrial], BagHead]:
        trials, kept = [], None
        steps = len(self.names) * sum(map(len, parts.values()))
        done = 0
        for name in self.names:
            layers, scores, seconds = [], [torch.empty(0)] * n, 0.0
            for seed in self.seeds:
                made: list[tuple[Tensor, Tensor]] = []
                for sets, labels, tested, places in parts[seed]:
                    started = perf_counter()
                    head = self.fit(name, sets, labels, seed)
                    seconds += perf_counter() - started
                    kept = kept or head
                    logits, own = _answers(head, tested)
                    made.append((places, logits))
                    if seed == self.seeds[0]:
                        for place, bag in zip(places.tolist(), own, strict=True):
                            scores[place] = bag
                    done += 1
                    if self.progress is not None:
                        self.progress(done, steps)
                order = torch.cat([places for places, _ in made]).argsort()
                layers.append(torch.cat([logits for _, logits in made])[order].double().numpy())
            fits = sum(map(len, parts.values()))
            trials.append(BagTrial(name, np.stack(layers), scores, seconds / fits))
        assert kept is not None
        return trials, kept


def _answers(head: BagHead, sets: FeatureSets) -> tuple[Tensor, Iterator[Tensor]]:
    """Logits of bags, and the scores of the instances of each."""
    logits, scores = (torch.cat(parts) for parts in zip(*head.read(sets), strict=True))
    return logits, iter(scores.split(sets.offsets.diff().tolist()))
