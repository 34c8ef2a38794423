"""Support sets: which labelled images each number of shots learns from, drawn by seeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from clipfg.errors import UsageError
from clipfg.functional.folds import stratified_folds

ALL = "all"


@dataclass(frozen=True, order=True)
class Shots:
    """Images of each class to learn from: `most`, or all there are (infinity)."""

    most: float

    def __str__(self) -> str:
        return ALL if np.isinf(self.most) else f"{self.most:.0f}"


def parse_shots(text: str) -> tuple[Shots, ...]:
    """`"1,2,4,all"` in ascending order, each once. Raises `UsageError` for anything else."""
    found = set()
    for part in text.split(","):
        word = part.strip().lower()
        if word == ALL:
            found.add(Shots(np.inf))
        elif word.isascii() and word.isdecimal() and 0 < int(word) < 10**9:
            found.add(Shots(int(word)))
        else:
            raise UsageError(
                f"--shots must be numbers from 1, separated by commas, or 'all', got {part!r}; try"
                " 1,2,4,8,16."
            )
    return tuple(sorted(found))


@dataclass(frozen=True)
class SupportDraws:
    """For each seed, the place `[s, n]` of every image in a random order of its class.

    The support set at `K` shots is the images with a place below `K`: nested over shots, balanced
    over classes, and determined by the seed and the order of the images alone.
    """

    labels: NDArray[np.int64]
    places: NDArray[np.int64]

    def rows(self, seed: int, shots: Shots) -> NDArray[np.intp]:
        """Positions of the support set of the `seed`-th draw, in the images' order."""
        return np.flatnonzero(self.places[seed] < shots.most)

    def ever(self, shots: Sequence[Shots]) -> NDArray[np.intp]:
        """Positions that any draw needs at any of the shots."""
        return np.flatnonzero((self.places < max(shots).most).any(axis=0))

    def keep(self, which: NDArray[Any]) -> "SupportDraws":
        """The draws of the images at `which` alone: later ones take the places of those dropped."""
        return SupportDraws(self.labels[which], _places(self.places[:, which], self.labels[which]))

    def that_differ(self, shots: Shots) -> int:
        """How many draws to run: one where every class uses all its images, else all."""
        return 1 if bool((self.places[0] < shots.most).all()) else len(self.places)


def draw_supports(labels: NDArray[np.int64], seeds: Sequence[int]) -> SupportDraws:
    """A random order within each class for every seed."""
    ranks = np.stack([np.random.default_rng(seed).permutation(len(labels)) for seed in seeds])
    return SupportDraws(labels, _places(ranks, labels))


def _places(ranks: NDArray[np.int64], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The place of each image among those of its class, which `ranks` `[s, n]` order."""
    order = np.lexsort((ranks, np.broadcast_to(labels, ranks.shape)))
    grouped = labels[order[0]]  # classes lie in the same runs whatever the order within them
    starts = np.searchsorted(grouped, grouped)
    places = np.empty_like(ranks)
    np.put_along_axis(places, order, np.arange(len(labels)) - starts[None], axis=1)
    return places


def hold_out(
    labels: NDArray[np.int64], seed: int, groups: NDArray[np.int64] | None = None
) -> NDArray[np.bool_]:
    """A mask of half of each class, rounded down, to test on where data has no splits.

    All items of one of the `groups` are on one side; then it is about half.
    """
    if groups is not None:
        halves = stratified_folds(torch.from_numpy(labels), seed, 2, torch.from_numpy(groups))
        return ((halves == halves.max()) & (halves >= 0)).numpy()
    places = draw_supports(labels, [seed]).places[0]
    return places < np.bincount(labels)[labels] // 2
