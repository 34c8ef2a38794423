"""k-means: a few centres, each the mean of the rows nearest to it."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipfg.errors import DataError


class Clusters(NamedTuple):
    """Centres, and the centre that each row belongs to."""

    centres: Float[Tensor, "k d"]
    members: Int[Tensor, " n"]


def kmeans(
    rows: Float[Tensor, "n d"], k: int, generator: torch.Generator, iterations: int = 100
) -> Clusters:
    """Lloyd's iterations from a greedy k-means++ start, until no row changes its centre.

    A centre that loses all its rows moves to the row that is farthest from its own centre. On
    unit-norm rows the nearest centre by distance need not be the nearest by angle.

    Raises `DataError` unless `1 <= k <= n`.

    Source: Arthur and Vassilvitskii 2007, k-means++: the advantages of careful seeding.
    """
    if not 1 <= k <= len(rows):
        raise DataError(f"Expected a k from 1 to {len(rows)} rows, got {k}.")
    if k == 1:
        return Clusters(rows.mean(dim=0, keepdim=True), rows.new_zeros(len(rows)).long())
    centres = rows[_start(rows, k, generator).to(rows.device)]
    members = torch.full((len(rows),), -1, device=rows.device)
    for _ in range(iterations):
        distances = torch.cdist(rows, centres)
        nearest = distances.argmin(dim=1)
        _fill_empty(nearest, distances, k)
        if torch.equal(nearest, members):
            break
        members = nearest
        sums = torch.zeros_like(centres).index_add_(0, members, rows)
        centres = sums / torch.bincount(members, minlength=k)[:, None]
    return Clusters(centres, members)


def _start(rows: Tensor, k: int, generator: torch.Generator) -> Tensor:
    """k-means++ that draws several rows each time and takes the one that helps most.

    Rows are drawn by their squared distance to the nearest start so far; the one that leaves the
    smallest sum of these is kept. If only copies of starts are left, any other row is.

    Source: Arthur and Vassilvitskii 2007, section 5 (the greedy variant).
    """
    n, lengths = len(rows), rows.square().sum(dim=1)
    tries = 2 + int(math.log(k))
    drawn = torch.empty(k, dtype=torch.long)
    nearest = torch.full((n,), torch.inf, device=rows.device)
    for place in range(k):
        odds = nearest.cpu().clone()
        odds[drawn[:place]] = 0
        if place == 0 or not odds.sum() > 0:
            odds = torch.ones(n)
            odds[drawn[:place]] = 0
        picks = torch.multinomial(odds, tries, replacement=True, generator=generator)
        picks = picks[:1] if place == 0 else picks
        squares = lengths[picks, None] + lengths - 2 * rows[picks] @ rows.T
        left = torch.minimum(nearest, squares.clamp_min(0))
        best = int(left.sum(dim=1).argmin())
        nearest, drawn[place] = left[best], picks[best]
    return drawn


def draw_apart(
    first: int,
    count: int,
    squares_to: Callable[[int], Float[Tensor, " n"]],
    generator: torch.Generator,
) -> Int[Tensor, " k"]:
    """`first` and `count - 1` positions drawn one by one, none twice.

    The odds of a position are its squared distance to the nearest one drawn before; if only copies
    of those are left, all odds are equal. `squares_to` gives the squared distances to a position.

    Source: Arthur and Vassilvitskii 2007, k-means++.
    """
    drawn = [first]
    nearest: Tensor | None = None
    while len(drawn) < count:
        squares = squares_to(drawn[-1])
        nearest = squares if nearest is None else torch.minimum(nearest, squares)
        odds = nearest.cpu().clone()
        odds[drawn] = 0
        if not odds.sum() > 0:
            odds = torch.ones_like(odds)
            odds[drawn] = 0
        drawn.append(int(torch.multinomial(odds, 1, generator=generator)))
    return torch.tensor(drawn)


def _fill_empty(nearest: Tensor, distances: Tensor, k: int) -> None:
    """Give each empty centre the row farthest from its own centre that is not alone there."""
    counts = torch.bincount(nearest, minlength=k)
    for empty in (counts == 0).nonzero().flatten():
        own = distances.gather(1, nearest[:, None]).flatten()
        far = own.masked_fill(counts[nearest] == 1, -torch.inf).argmax()
        counts[nearest[far]] -= 1
        nearest[far] = empty
        counts[empty] = 1
