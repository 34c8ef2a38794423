"""KeCO offline: several passes, in which a key moves by the mean of its samples in a batch."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipfg.coresets.keco import KeCO, Samples, Target, draw_targets, prepare
from clipfg.errors import UsageError


@dataclass(eq=False)
class KeCOOffline(KeCO):
    """Random items, their keys moved by all other items of the class in several passes.

    `k <- k - a mean(k - x)` over batches of the other items; see `update_offline`. The parameters
    are those of `KeCO`, and `epochs` and `batch_size` of `update_offline`.

    Source: Chen et al. 2025, arXiv:2504.14200.
    """

    name: ClassVar[str] = "keco-offline"

    epochs: int = 10
    batch_size: int = 1000

    def update(self, samples: Samples, generator: torch.Generator) -> Float[Tensor, "m d"]:
        """`epochs` passes over the samples, each in another order."""
        return update_offline(
            *samples,
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
    """`k <- k - a mean(k - x)` over the samples of a batch whose target is `k`; returns new keys.

    The samples of a batch choose their targets while the keys stand still. The order is drawn
    anew for each pass, and the last batch may be smaller: no sample is dropped.

    Parameters
    ----------
    keys, key_labels, features, labels, rate, target
        As of `update_online`. At a rate of 1 a key becomes the mean of its samples.
    epochs, batch_size
        Passes over the samples, and samples that move keys at once; at least 1.
    generator
        Of the order, and of random targets in that order.

    Raises `UsageError` and `DataError` for invalid arguments, and for a class without a key.

    Source: Chen et al. 2025, arXiv:2504.14200.
    """
    arrays, code, step = prepare((keys, key_labels, features, labels), rate, target)
    if epochs < 1 or batch_size < 1:
        raise UsageError(
            f"Expected epochs and a batch size of at least 1, got {epochs} and {batch_size}."
        )
    from clipfg.coresets.keco_loops import move_offline  # importing numba takes a moment

    for _ in range(epochs):
        order = torch.randperm(len(features), generator=generator).numpy()
        draws = draw_targets(len(features), target, generator)
        move_offline(*arrays, order, batch_size, draws, code, step)
    return torch.from_numpy(arrays.keys).to(keys)
