"""Does a map show what the encoder's score depends on? Deletion and insertion curves.

The patches of an image are blurred away in the order of the map, the highest first, and the score
of the text is read after each step: if the map is right, it falls sooner than in a random order
(deletion). Then they are put back into a blurred image: it rises sooner (insertion). The area
between the map's curve and a random order's, averaged over both, is the map's gain.

A random order has a gain too, as often below 0 as above. The interval around a map's gain reaches
as far as the largest of 19 random orders, which a further one exceeds one time in 20: with 95%
probability, whatever the distribution. Where it covers 0, some random order is as good, and the map
says nothing.

Source: Petsiuk, Das and Saenko 2018, arXiv:1806.07421, section 4.2 (the curves); David and Nagaraja
2003, Order Statistics, section 7.3 (the interval of one further draw).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor
from torch.nn.functional import interpolate, pad

from clipfg.types import Estimate

STEPS = 8
"""Steps from the whole image to none of it."""
ORDERS = 19
"""Random orders that a map is compared with, each forwards and backwards."""
SAMPLES = 4
"""A patch is blurred to what an image of this many pixels on each side shows of it: the colours
of the scene, and nothing of the object."""

Verdict = Literal["faithful", "says nothing", "misleading"]
"""A faithful map marks what the score depends on more than a random order would, one that says
nothing no more than that, a misleading one less."""

Scorer = Callable[[Tensor], Tensor]
"""From pixels `[b, 3, h, w]` to the score of every text, `[b, t]`."""


@dataclass(frozen=True)
class Faithfulness:
    """The curves of one map, and how they compare with random orders.

    `deletion` and `insertion` are scores `[steps + 1]`, from the whole image to the blurred one and
    back; `random` is the mean score of random orders with the same number of patches left, from the
    whole image on. `gain` is in units of the score.
    """

    deletion: tuple[float, ...]
    insertion: tuple[float, ...]
    random: tuple[float, ...]
    gain: Estimate

    @property
    def verdict(self) -> Verdict:
        """What the interval says of the map."""
        if self.gain.low > 0:
            return "faithful"
        return "misleading" if self.gain.high < 0 else "says nothing"


def measure_faithfulness(
    pixels: UInt8[Tensor, "3 h w"],
    maps: Float[Tensor, "m rows cols"],
    scorer: Scorer,
    weights: Float[Tensor, "m t"],
    *,
    steps: int = STEPS,
    orders: int = ORDERS,
    seed: int = 0,
    batch_size: int = 32,
) -> list[Faithfulness]:
    """The faithfulness of maps over one image.

    `weights` say which score a map is about, as a combination of those of `scorer`: `(1, 0)` the
    first text's, `(1, -1)` by how much it leads the second. Random orders are shared by all maps.
    """
    grid = (maps.shape[1], maps.shape[2])
    patches = math.prod(grid)
    steps = min(steps, patches)
    generator = torch.Generator().manual_seed(seed)
    ranked = [map_.flatten().argsort(descending=True, stable=True) for map_ in maps]
    shuffled = [torch.randperm(patches, generator=generator) for _ in range(orders)]
    # Inserting in one order is deleting in the reverse, seen from its end.
    both_ways = [(order, order.flip(0)) for order in (*ranked, *shuffled)]
    kept = torch.stack([kept_patches(order, steps) for pair in both_ways for order in pair])
    # All orders begin and end alike; each picture is scored once.
    distinct, where = kept.flatten(0, 1).unique(dim=0, return_inverse=True)
    blurred = blur(pixels)
    parts = torch.unflatten(distinct, 1, grid).split(batch_size)
    scores = torch.cat([scorer(blend(pixels, blurred, part)) for part in parts])
    all_scores = scores.double().cpu()[where].unflatten(0, (len(both_ways), 2, steps + 1))
    curves = torch.einsum("owst,mt->mows", all_scores, weights.double())
    return [_compare(of[m], of[len(maps) :]) for m, of in enumerate(curves)]


def kept_patches(order: Int[Tensor, " p"], steps: int) -> Bool[Tensor, "s p"]:
    """Which patches are left after each of `steps` equal steps of removal, from all to none."""
    removed = torch.linspace(0, len(order), steps + 1).round()
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(order))
    return rank >= removed[:, None]


def blur(pixels: UInt8[Tensor, "3 h w"]) -> UInt8[Tensor, "3 h w"]:
    """The image as `SAMPLES` by `SAMPLES` pixels show it, enlarged smoothly."""
    whole = pixels[None].float()
    small = interpolate(whole, (SAMPLES, SAMPLES), mode="area")
    large = interpolate(small, whole.shape[-2:], mode="bilinear", align_corners=False)
    return large[0].round().to(torch.uint8)


def blend(
    pixels: UInt8[Tensor, "3 h w"],
    blurred: UInt8[Tensor, "3 h w"],
    kept: Bool[Tensor, "b rows cols"],
) -> UInt8[Tensor, "b 3 h w"]:
    """The image where patches are kept, the blurred one elsewhere.

    Pixels that the last patches leave over, which no tower sees, go with these.
    """
    flags = kept[:, None].float()
    for dim in (2, 3):
        flags = flags.repeat_interleave(pixels.shape[dim - 1] // kept.shape[dim - 1], dim)
    left = [pixels.shape[dim] - flags.shape[dim] for dim in (-1, -2)]
    flags = pad(flags, (0, left[0], 0, left[1]), mode="replicate")
    return torch.where(flags > 0, pixels, blurred)


def _compare(own: Float[Tensor, "2 s"], random: Float[Tensor, "o 2 s"]) -> Faithfulness:
    """Both take deletion curves of orders and of their reverses, which are insertion curves
    from the end.
    """
    gain, gains = float(_gain(own)), _gain(random)
    # An order is as likely as its reverse, whose gain is the negative: only the size is random.
    reach = float(gains.abs().max())
    return Faithfulness(
        deletion=tuple(own[0].tolist()),
        insertion=tuple(own[1].flip(0).tolist()),
        random=tuple(random.mean(dim=(0, 1)).tolist()),
        gain=Estimate(gain, gain - reach, gain + reach),
    )


def _gain(curves: Float[Tensor, "*o 2 s"]) -> Float[Tensor, "*o"]:
    """The mean of `random - deletion` and `insertion - random`, as areas over the share of patches:
    the random order's own area cancels.
    """
    deletion, insertion = torch.trapezoid(curves, dx=1 / (curves.shape[-1] - 1), dim=-1).unbind(-1)
    return (insertion - deletion) / 2
