"""KeCO online: one pass, in which each sample moves one key of its class as it arrives."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipfg.coresets.keco import KeCO, Samples, Target, draw_targets, prepare


@dataclass(eq=False)
class KeCOOnline(KeCO):
    """Random items, their keys moved by each other item of the class in one pass.

    `k <- (1 - a) k + a x` for each other item in a seeded order; see `update_online`. The
    parameters are those of `KeCO`.

    Source: Chen et al. 2025, arXiv:2504.14200.
    """

    name: ClassVar[str] = "keco-online"

    def update(self, samples: Samples, generator: torch.Generator) -> Float[Tensor, "m d"]:
        """One pass over the samples in their order."""
        return update_online(*samples, rate=self.rate, target=self.target, generator=generator)


def update_online(
    keys: Float[Tensor, "m d"],
    key_labels: Int[Tensor, " m"],
    features: Float[Tensor, "n d"],
    labels: Int[Tensor, " n"],
    *,
    rate: float = 0.2,
    target: Target = "least",
    generator: torch.Generator | None = None,
) -> Float[Tensor, "m d"]:
    """`k <- (1 - a) k + a x` for each sample `x` in turn, `k` its target; returns new keys.

    The keys of other classes stay as they are. It runs on the CPU wherever the keys are: a sample
    depends on the one before it, which leaves a GPU nothing to do in parallel.

    Parameters
    ----------
    keys, key_labels
        Of any norm, in any order; they are not changed.
    features, labels
        The samples in the order in which they arrive.
    rate
        `a`, from 0 to 1.
    target
        Which key of its class a sample moves.
    generator
        Of random targets, drawn in the order of the samples.

    Raises `UsageError` and `DataError` for invalid arguments, and for a class without a key.

    Source: Chen et al. 2025, arXiv:2504.14200.
    """
    arrays, code, step = prepare((keys, key_labels, features, labels), rate, target)
    from clipfg.coresets.keco_loops import move_online  # importing numba takes a moment

    move_online(*arrays, draw_targets(len(features), target, generator), code, step)
    return torch.from_numpy(arrays.keys).to(keys)
