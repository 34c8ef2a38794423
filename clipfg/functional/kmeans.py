"""k-means: rows as a few centres, each the mean of the rows nearest to it."""

from collections.abc import Sequence
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
    """Lloyd's iterations from a k-means++ start, until no row changes its centre.

    A centre that loses all its rows is put on the row that is farthest from its own. On unit-norm
    rows the nearest centre by distance need not be the nearest by angle.

    Raises `DataError` unless `1 <= k <= n`.

    Source: Arthur and Vassilvitskii 2007, k-means++: the advantages of careful seeding.
    """
    if not 1 <= k <= len(rows):
        raise DataError(f"Expected a k from 1 to {len(rows)} rows, got {k}.")
    if k == 1:
        return Clusters(rows.mean(dim=0, keepdim=True), rows.new_zeros(len(rows)).long())
    centres = rows[_spread(rows, k, generator)]
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


def _spread(rows: Tensor, k: int, generator: torch.Generator) -> Tensor:
    """Rows drawn one after another, with odds of the squared distance to those drawn before."""
    drawn = [int(torch.randint(len(rows), (1,), generator=generator))]
    squares = torch.full((len(rows),), torch.inf, device=rows.device)
    while len(drawn) < k:
        last = (rows - rows[drawn[-1]]).square().sum(dim=1)
        squares = torch.minimum(squares, last)
        drawn.append(draw_apart(squares, drawn, generator))
    return torch.tensor(drawn, device=rows.device)


def draw_apart(
    squares: Float[Tensor, " n"], drawn: Sequence[int], generator: torch.Generator
) -> int:
    """A position that was not drawn yet, with odds of the squared distance to those that were.

    Where only copies of what was drawn are left, with equal odds.

    Source: Arthur and Vassilvitskii 2007, k-means++.
    """
    odds = squares.cpu().clone()
    odds[list(drawn)] = 0
    if not odds.sum() > 0:
        odds = torch.ones_like(odds)
        odds[list(drawn)] = 0
    return int(torch.multinomial(odds, 1, generator=generator))


def _fill_empty(nearest: Tensor, distances: Tensor, k: int) -> None:
    """Give each empty centre the row that is farthest from its own and not alone there."""
    counts = torch.bincount(nearest, minlength=k)
    for empty in (counts == 0).nonzero().flatten():
        own = distances.gather(1, nearest[:, None]).flatten()
        far = own.masked_fill(counts[nearest] == 1, -torch.inf).argmax()
        counts[nearest[far]] -= 1
        nearest[far] = empty
        counts[empty] = 1
