"""Sums, maxima and softmax over runs of rows that lie end to end, such as the instances of bags.

`offsets`, one more than there are runs, say where each begins and where the last ends; no run is
empty.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def segment_of_rows(offsets: Int[Tensor, " ends"]) -> Int[Tensor, " r"]:
    """The run that each row is in."""
    runs = torch.arange(len(offsets) - 1, device=offsets.device)
    return runs.repeat_interleave(offsets.diff())


def segment_sum(
    values: Float[Tensor, "r k"], offsets: Int[Tensor, " ends"]
) -> Float[Tensor, "b k"]:
    """The sum of each run."""
    sums = values.new_zeros(len(offsets) - 1, values.shape[1])
    return sums.index_add(0, segment_of_rows(offsets), values)


def segment_amax(
    values: Float[Tensor, "r k"], offsets: Int[Tensor, " ends"]
) -> Float[Tensor, "b k"]:
    """The maximum of each run; its gradient is shared by the rows that have it."""
    return torch.segment_reduce(values, "max", offsets=offsets, axis=0, unsafe=True)


def segment_max(
    values: Float[Tensor, "r k"], offsets: Int[Tensor, " ends"]
) -> tuple[Float[Tensor, "b k"], Int[Tensor, "b k"]]:
    """The maximum of each run, and the first row that has it."""
    most = segment_amax(values.detach(), offsets)
    numbers = torch.arange(len(values), device=values.device)[:, None]
    there = values.detach() == most[segment_of_rows(offsets)]
    candidates = torch.where(there, numbers, len(values)).double()
    first = torch.segment_reduce(candidates, "min", offsets=offsets, axis=0, unsafe=True).long()
    return values.gather(0, first), first


def segment_softmax(
    values: Float[Tensor, "r k"], offsets: Int[Tensor, " ends"]
) -> Float[Tensor, "r k"]:
    """Softmax within each run, column by column."""
    runs = segment_of_rows(offsets)
    powers = (values - segment_amax(values.detach(), offsets)[runs]).exp()
    return powers / segment_sum(powers, offsets)[runs]


def weighted_means(
    weights: Float[Tensor, "r a"], values: Float[Tensor, "r m"], offsets: Int[Tensor, " ends"]
) -> Float[Tensor, "b a m"]:
    """The sum of each run's values times its weights, for every column of the weights."""
    if weights.shape[1] < len(offsets):
        columns = [segment_sum(column[:, None] * values, offsets) for column in weights.T]
        return torch.stack(columns, dim=1)
    sizes = offsets.diff().tolist()
    runs = zip(weights.split(sizes), values.split(sizes), strict=True)
    return torch.stack([own.T @ rows for own, rows in runs])
