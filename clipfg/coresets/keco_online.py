"""KeCO online: one pass, each sample moves one key of its class when it comes."""

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


class KeCOOnline(KeCO):
    """Random items, their keys moved by each other item of the class in one pass.

    `k <- (1 - a) k + a x` for each untapped item in a seeded order; see `update_online`.

    Parameters
    ----------
    target, rate, seed
        As of `KeCO`.

    Source: Chen et al. 2025, arXiv:2504.14200.
    """

    name: ClassVar[str] = "keco-online"

    def update(
        self,
        keys: Float[Tensor, "m d"],
        key_labels: Int[Tensor, " m"],
        features: Float[Tensor, "n d"],
        labels: Int[Tensor, " n"],
        generator: torch.Generator,
    ) -> Float[Tensor, "m d"]:
        """One pass over the samples in their order."""
        return update_online(
            keys,
            key_labels,
            features,
            labels,
            rate=self.rate,
            target=self.target,
            generator=generator,
        )


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
    """`k <- (1 - a) k + a x` for each sample `x` in turn, `k` its target; new keys come back.

    A sample moves a key of its own class alone, so classes do not wait for each other: the first
    samples of all classes are taken together, then the second ones. The result is that of the
    loop over single samples. As many rounds are needed as the largest class has samples.

    Parameters
    ----------
    keys, key_labels
        Of any norm, in any order; they are not changed.
    features, labels
        The samples in the order in which they come.
    rate
        `a`, from 0 to 1.
    target
        Which key of its class a sample moves.
    generator
        Of random targets, drawn in the order of the samples.

    Raises `UsageError` and `DataError` for what does not fit, and for a class without a key.

    Source: Chen et al. 2025, arXiv:2504.14200.
    """
    check_update(keys, key_labels, features, labels, rate, target)
    slots = Slots.of(key_labels)
    draws = draw_targets(len(features), target, generator).to(keys.device)
    # The classes with the most samples first: those that still have one are then a prefix.
    sizes = torch.bincount(slots.rows_of(labels), minlength=len(slots.index))
    slots = slots.reordered(sizes.argsort(descending=True))
    moved, filled = slots.laid_out(keys), slots.filled
    flat, norms = moved.flatten(0, 1), torch.linalg.vector_norm(moved, dim=2)
    order, rounds = _rounds(slots.rows_of(labels))
    first = torch.arange(len(filled), device=keys.device) * filled.shape[1]
    for samples in order.split(rounds):
        n, x = len(samples), features.index_select(0, samples).to(keys.dtype)
        part = moved[:n]
        # One row times many columns: the other way round takes twenty times as long.
        products = torch.bmm(x[:, None], part.transpose(1, 2))
        drawn = draws[samples][:, None]
        places = choose_places(products, norms[:n], filled[:n], drawn, target, part)
        positions = first[:n] + places[:, 0]
        after = torch.lerp(flat.index_select(0, positions), x, rate)
        flat.index_copy_(0, positions, after)
        norms.view(-1).index_copy_(0, positions, torch.linalg.vector_norm(after, dim=1))
    return slots.put_back(moved)


def _rounds(owners: Int[Tensor, " n"]) -> tuple[Int[Tensor, " n"], list[int]]:
    """Positions of the samples, round by round and in a round by owner; the rounds' sizes."""
    turns = places_within(owners)
    by_owner = torch.sort(owners, stable=True).indices
    order = by_owner[torch.sort(turns[by_owner], stable=True).indices]
    return order, torch.bincount(turns).tolist()
