"""KeCO offline: several passes, a key moves by the mean of a batch's samples that aim at it."""

from collections.abc import Iterator
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipfg.coresets.keco import (
    KeCO,
    Slots,
    Target,
    check_update,
    choose_places,
    draw_targets,
    places_within,
)
from clipfg.coresets.keco_gram import Products
from clipfg.errors import UsageError


class KeCOOffline(KeCO):
    """Random items, their keys moved by all others of the class in several passes.

    `k <- k - a mean(k - x)` over batches of the untapped items; see `update_offline`.

    Parameters
    ----------
    target, rate, seed
        As of `KeCO`.
    epochs, batch_size
        As of `update_offline`.

    Source: Chen et al. 2025, arXiv:2504.14200.
    """

    name: ClassVar[str] = "keco-offline"

    def __init__(
        self,
        target: Target = "least",
        rate: float = 0.2,
        epochs: int = 10,
        batch_size: int = 1000,
        seed: int = 0,
    ) -> None:
        super().__init__(target, rate, seed)
        self.epochs = epochs
        self.batch_size = batch_size

    def update(
        self,
        keys: Float[Tensor, "m d"],
        key_labels: Int[Tensor, " m"],
        features: Float[Tensor, "n d"],
        labels: Int[Tensor, " n"],
        generator: torch.Generator,
    ) -> Float[Tensor, "m d"]:
        """`epochs` passes over the samples, each in another order."""
        return update_offline(
            keys,
            key_labels,
            features,
            labels,
            rate=self.rate,
            target=self.target,
            epochs=self.epochs,
            batch_size=self.batch_size,
            generator=generator,
        )


def update_offline(
    keys: Float[Tensor, "m d"],
    key_labels: Int[Tensor, " m"],
    features: Float[Tensor, "n d"],
    labels: Int[Tensor, " n"],
    *,
    rate: float = 0.2,
    target: Target = "least",
    epochs: int = 10,
    batch_size: int = 1000,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "m d"]:
    """`k <- k - a mean(k - x)` over the samples `x` of a batch that aim at `k`; new keys come back.

    The samples of a batch choose their targets while the keys stand still. The order is drawn
    anew for each pass, and the last batch may be smaller: no sample is dropped.

    Parameters
    ----------
    keys, key_labels, features, labels, rate, target
        As of `update_online`. At a rate of 1 a key becomes the mean of those that aim at it.
    epochs, batch_size
        Passes over the samples, and samples that move keys at once; from 1.
    generator
        Of the order, and of random targets in that order.

    Raises `UsageError` and `DataError` for what does not fit, and for a class without a key.

    Source: Chen et al. 2025, arXiv:2504.14200.
    """
    check_update(keys, key_labels, features, labels, rate, target)
    if epochs < 1 or batch_size < 1:
        raise UsageError(f"Expected epochs and a batch size from 1, got {epochs} and {batch_size}.")
    slots = Slots.of(key_labels)
    owners, moved = slots.rows_of(labels), slots.laid_out(keys)
    known = None
    if len(features) and target != "prototype" and Products.fits(slots, owners):
        known = Products(moved, features, owners)
    for _ in range(epochs if len(features) else 0):
        order = torch.randperm(len(features), generator=generator).to(keys.device)
        draws = draw_targets(len(features), target, generator).to(keys.device)
        for batch, drawn in zip(order.split(batch_size), draws.split(batch_size), strict=True):
            if known is not None:
                known.move(batch, known.choose(batch, slots, drawn, target), rate)
                continue
            sums, counts = _aims(moved, slots, features, batch, owners[batch], drawn, target)
            means = sums / counts.clamp_min(1)[:, :, None]
            moved = torch.lerp(moved, means, rate * (counts > 0)[:, :, None].to(keys.dtype))
    return slots.put_back(moved if known is None else known.keys())


def _aims(
    keys: Float[Tensor, "c m d"],
    slots: Slots,
    features: Float[Tensor, "n d"],
    batch: Int[Tensor, " b"],
    owners: Int[Tensor, " b"],
    draws: Float[Tensor, " b"],
    target: Target,
) -> tuple[Float[Tensor, "c m d"], Float[Tensor, "c m"]]:
    """The sum and the number of the samples that aim at each key."""
    sums, counts = torch.zeros_like(keys), keys.new_zeros(keys.shape[:2])
    norms = torch.linalg.vector_norm(keys, dim=2)
    for classes, index, real in _side_by_side(owners):
        x = features.index_select(0, batch[index].flatten()).to(keys.dtype)
        x = x.view(*index.shape, -1)
        own = keys.index_select(0, classes)
        products = torch.bmm(x, own.transpose(1, 2))
        filled = slots.filled[classes]
        places = choose_places(products, norms[classes], filled, draws[index], target, own)
        aims = torch.zeros_like(products).scatter_(
            2, places[:, :, None], real[:, :, None].to(keys.dtype)
        )
        sums.index_add_(0, classes, torch.bmm(aims.transpose(1, 2), x))
        counts.index_add_(0, classes, aims.sum(dim=1))
    return sums, counts


def _side_by_side(owners: Int[Tensor, " b"]) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Samples laid out by class, so that one product serves all samples of a class.

    Yields classes `[a]`, positions of samples `[a, q]`, and 1 where there is a sample, else 0. `q`
    is the mean class size: a class with more goes on in the next turn, and little is padded.
    """
    turns = places_within(owners)
    each = -(-len(owners) // len(owners.unique()))
    for turn in range(int(turns.max()) // each + 1):
        now = (turns // each == turn).nonzero().flatten()
        classes, rows = owners[now].unique(return_inverse=True)
        index = now.new_zeros(len(classes), each)
        real = torch.zeros(len(classes), each, device=now.device)
        index[rows, turns[now] % each] = now
        real[rows, turns[now] % each] = 1
        yield classes, index, real
