"""KeCO offline: several passes, a key moves by the mean of a batch's samples that aim at it."""

from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipfg.coresets.keco import KeCO, Slots, Target, check_update, choose_targets, draw_targets
from clipfg.errors import UsageError


class KeCOOffline(KeCO):
    """A random start, then `k <- k - a mean(k - x)` over batches of the untapped items.

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
    owners = slots.rows_of(labels)
    for _ in range(epochs):
        order = torch.randperm(len(features), generator=generator)
        draws = draw_targets(len(features), target, generator)
        batches = zip(order.split(batch_size), draws.split(batch_size), strict=True)
        for batch, own_draws in batches if len(features) else ():
            batch = batch.to(keys.device)
            x, rows = features[batch].to(keys.dtype), owners[batch]
            index = slots.index[rows]
            place = choose_targets(keys[index], slots.filled[rows], x, own_draws, target)
            keys = _step(keys, index.gather(1, place[:, None]).flatten(), x, rate)
    return keys.clone()


def _step(keys: Tensor, targets: Tensor, x: Tensor, rate: float) -> Tensor:
    counts = torch.bincount(targets, minlength=len(keys))[:, None]
    means = torch.zeros_like(keys).index_add_(0, targets, x) / counts.clamp_min(1)
    return torch.where(counts > 0, torch.lerp(keys, means, rate), keys)
