"""Label propagation: predictions flow between images that look alike.

`F = (I - alpha S)^-1 Y`, with `Y` the text probabilities, `S = D^-1/2 W D^-1/2` and `W` the
symmetric graph of nearest neighbours. The series `sum_i (alpha S)^i Y` is summed instead of solving
the system: the remainder after `i` terms is below `alpha^i`.

Source: Zhou et al. 2004, Learning with local and global consistency, equation 4; the graph's
weights are `max(0, cos)^3` as in Iscen et al. 2019, arXiv:1904.04717, section 3.2.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from clipfg.functional.neighbours import nearest_neighbours
from clipfg.heads.transduction import check_pool

_LEFT = 1e-7  # the remainder of the series, relative to its first term


def label_propagation(
    features: Float[Tensor, "n d"],
    logits: Float[Tensor, "n c"],
    *,
    k: int = 5,
    alpha: float = 0.3,
    power: float = 3.0,
) -> Float[Tensor, "n c"]:
    """Text probabilities spread over the graph of `k` nearest neighbours, as log-probabilities.

    `alpha` is from 0 (nothing moves) to below 1; the larger `power`, the more the nearest
    neighbours count.

    Raises `DataError` for a pool of fewer than two images.
    """
    check_pool(features, logits)
    graph = _graph(features, k, power)
    start = logits.float().softmax(dim=1)
    total, term = start.clone(), start
    for _ in range(math.ceil(math.log(_LEFT) / math.log(alpha)) if alpha > 0 else 0):
        term = alpha * torch.sparse.mm(graph, term)
        total += term
    shares = total / total.sum(dim=1, keepdim=True)
    return shares.clamp_min(torch.finfo(shares.dtype).tiny).log()


def _graph(features: Tensor, k: int, power: float) -> Tensor:
    """`D^-1/2 (A + A^T) D^-1/2`, sparse; an image without similar neighbours stays isolated."""
    similarities, neighbours = nearest_neighbours(features, k)
    n, k = neighbours.shape
    rows = torch.arange(n, device=features.device).repeat_interleave(k)
    columns = neighbours.flatten()
    values = similarities.clamp_min(0).flatten() ** power
    both = torch.stack((torch.cat((rows, columns)), torch.cat((columns, rows))))
    values = torch.cat((values, values))
    degrees = values.new_zeros(n).index_add_(0, both[0], values)
    scale = degrees.clamp_min(torch.finfo(values.dtype).tiny).rsqrt()
    values = values * scale[both[0]] * scale[both[1]]
    return torch.sparse_coo_tensor(both, values, (n, n), check_invariants=False).coalesce()
