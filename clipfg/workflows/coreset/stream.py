"""Keys as images arrive: what is held is keys, the batch at hand, and a bounded number more."""

import numpy as np
import torch
from numpy.typing import NDArray

from clipfg.coresets.discriminant_online import DiscriminantOnline, Moments, places_within
from clipfg.coresets.keco_online import KeCOOnline, update_online


class Stream:
    """The first items of each class become its keys; each later one moves a key of its class.

    What comes out does not depend on the batches, but for random targets, which are drawn batch by
    batch. `peak` is the most feature rows held at once: keys, the batch at hand, what is set aside.
    """

    def __init__(self, strategy: KeCOOnline, per_class: int) -> None:
        self.strategy = strategy
        self.per_class = per_class
        self.peak = 0
        self._generator = torch.Generator().manual_seed(strategy.seed)
        self._keys: torch.Tensor | None = None
        self._moments: Moments | None = None
        self._labels = torch.zeros(0, dtype=torch.long)
        self._positions = torch.zeros(0, dtype=torch.long)

    def take(
        self, positions: NDArray[np.int64], vectors: NDArray[np.float32], labels: NDArray[np.int64]
    ) -> None:
        """Seed keys with what a class still lacks, and update with the rest."""
        x, y = torch.from_numpy(vectors), torch.from_numpy(labels)
        moving = torch.ones(len(x), dtype=torch.bool)
        if isinstance(self.strategy, DiscriminantOnline):
            self._moments = self._moments or Moments(x.shape[1], self.per_class)
            moving = ~self._moments.take(x, y)
        held = torch.bincount(self._labels, minlength=int(y.max()) + 1)
        seeds = held[y] + places_within(y) < self.per_class
        before = x[:0] if self._keys is None else self._keys
        keys = torch.cat((before, x[seeds]))
        self._labels = torch.cat((self._labels, y[seeds]))
        self._positions = torch.cat((self._positions, torch.from_numpy(positions)[seeds]))
        moving &= ~seeds
        aside = len(self._moments.x) if self._moments else 0
        self.peak = max(self.peak, len(keys) + len(x) + aside)
        self._keys = update_online(
            keys,
            self._labels,
            x[moving],
            y[moving],
            rate=self.strategy.rate,
            target=self.strategy.target,
            generator=self._generator,
        )

    def finish(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Positions of the exemplars and their keys, in order of classes; none without items."""
        order = torch.sort(self._labels, stable=True).indices
        if self._keys is None:
            return self._positions.numpy(), np.zeros((0, 0), dtype=np.float32)
        keys, labels = self._keys[order], self._labels[order]
        if isinstance(self.strategy, DiscriminantOnline) and self._moments is not None:
            keys = self.strategy.finish(self._moments, keys, labels)
        return self._positions[order].numpy(), keys.numpy()
