"""KeCO offline: several passes, a key moves by the mean of a batch's samples that aim at it."""

from typing import ClassVar, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipfg.coresets.keco import ByClass, KeCO, Target, check_update, draw_targets
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
    from clipfg.coresets.keco_loops import move_offline  # numba takes a moment to come

    own = ByClass.of(keys, key_labels)
    samples, owners = own.samples(features), own.owners(labels)
    code, step = get_args(Target).index(target), own.keys.dtype.type(rate)
    for _ in range(epochs):
        order = torch.randperm(len(features), generator=generator).numpy()
        draws = draw_targets(len(features), target, generator).numpy()
        move_offline(
            own.keys, own.members, own.first, samples, owners, order, batch_size, draws, code, step
        )
    return torch.from_numpy(own.keys).to(keys)
