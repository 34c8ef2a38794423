"""KeCO in products alone: passes over few samples a class without reading their features again."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipfg.coresets.keco import Slots, Target, choose_places, places_within

_CELLS = 4_000_000  # of all classes' products; with more, reading them takes as long as features


class Products:
    """Keys as `D K + A X`, known by their products with the samples.

    `K` are the keys of the start and `X` the samples, of one class each. An update changes `D` and
    `A`, and the products change with them: `S = X (D K + A X)^T` needs no more than `G = X X^T`.
    That is worth it for several passes over classes of few samples; see `fits`.

    Parameters
    ----------
    keys
        Of any norm, by class.
    features, owners
        The samples and their classes.
    """

    def __init__(
        self,
        keys: Float[Tensor, "c m d"],
        features: Float[Tensor, "n d"],
        owners: Int[Tensor, " n"],
    ) -> None:
        self._places = places_within(owners)
        samples = keys.new_zeros(len(keys), int(self._places.max()) + 1, keys.shape[2])
        samples[owners, self._places] = features.to(keys.dtype)
        self._start, self._samples, self._owners = keys, samples, owners
        self._gram = torch.bmm(samples, samples.transpose(1, 2))
        self._products = torch.bmm(keys, samples.transpose(1, 2))
        self._squares = keys.square().sum(dim=2)
        self._kept = keys.new_ones(keys.shape[:2])
        self._added = torch.zeros_like(self._products)

    @staticmethod
    def fits(slots: Slots, owners: Int[Tensor, " n"]) -> bool:
        """Whether the products of each class's samples with each other are few enough to keep."""
        most = int(torch.bincount(owners).max())
        return len(slots.index) * most * (most + slots.index.shape[1]) <= _CELLS

    def choose(
        self, batch: Int[Tensor, " b"], slots: Slots, draws: Float[Tensor, " b"], target: Target
    ) -> Int[Tensor, " b"]:
        """For each sample the place of the key that it moves; see `choose_places`."""
        owners, places = self._owners[batch], self._places[batch]
        norms = self._squares.clamp_min(torch.finfo(self._squares.dtype).tiny).sqrt()
        products = self._products[owners, :, places][:, None]
        return choose_places(
            products, norms[owners], slots.filled[owners], draws[:, None], target, None
        )[:, 0]

    def move(self, batch: Int[Tensor, " b"], targets: Int[Tensor, " b"], rate: float) -> None:
        """Move each key by `rate` towards the mean of the samples that aim at it."""
        owners, places = self._owners[batch], self._places[batch]
        aims = torch.zeros_like(self._added)
        aims[owners, targets, places] = 1
        counts = aims.sum(dim=2, keepdim=True)
        means = aims / counts.clamp_min(1)
        step = rate * (counts > 0).to(aims.dtype)
        among = torch.bmm(means, self._gram)
        with_keys = (means * self._products).sum(dim=2)
        with_each = (means * among).sum(dim=2)
        a = step[:, :, 0]
        self._squares = (
            (1 - a).square() * self._squares + 2 * a * (1 - a) * with_keys + a.square() * with_each
        )
        self._products = torch.lerp(self._products, among, step)
        self._added = torch.lerp(self._added, means, step)
        self._kept = self._kept * (1 - a)

    def keys(self) -> Float[Tensor, "c m d"]:
        """The keys themselves."""
        return self._kept[:, :, None] * self._start + torch.bmm(self._added, self._samples)
