"""Folds of a labelled set, with each class spread over them as evenly as possible."""

import torch
from jaxtyping import Int
from torch import Tensor


def stratified_folds(
    labels: Int[Tensor, " n"], seed: int, most: int, groups: Int[Tensor, " n"] | None = None
) -> Int[Tensor, " n"]:
    """The fold that each item is held out in; -1 where a class would be left without an item.

    Labels count from 0. There are as many folds as the largest class has items, and at most
    `most`.

    Items of one of the `groups` (any numbers) are in one fold: each group is dealt out as one item
    of the rarest class in it. A class whose groups all come into one fold keeps one of them, which
    is held out nowhere.
    """
    if groups is None:
        folds = _dealt(labels, seed, most)
        return torch.where(torch.bincount(labels)[labels] > 1, folds, -1)
    group = groups.unique(return_inverse=True)[1]
    label, member = torch.stack([labels, group]).unique(dim=1)  # each class of each group, once
    folds = _dealt(_rarest(label, member), seed, most)
    low, high, first = (
        _of_each(label, values, how)
        for values, how in ((folds[member], "amin"), (folds[member], "amax"), (member, "amin"))
    )
    folds[first[label[(low == high)[label]]]] = -1
    used = folds >= 0
    folds[used] = folds[used].unique(return_inverse=True)[1]  # a fold may have lost its only group
    return folds[group]


def _dealt(labels: Int[Tensor, " n"], seed: int, most: int) -> Int[Tensor, " n"]:
    """A fold for each item, in turn within each class, in a random order."""
    counts = torch.bincount(labels)
    generator = torch.Generator().manual_seed(seed)
    shuffled = torch.randperm(len(labels), generator=generator).to(labels.device)
    order = shuffled[torch.sort(labels[shuffled], stable=True).indices]
    first = counts.cumsum(0) - counts
    place = torch.empty_like(labels)
    place[order] = torch.arange(len(labels), device=place.device) - first[labels[order]]
    # Small classes begin at different folds, or the last folds would stay empty.
    place = place + labels * (counts[labels] < most)
    return place % min(most, max(int(counts.max()), 1))


def _rarest(label: Int[Tensor, " p"], member: Int[Tensor, " p"]) -> Int[Tensor, " g"]:
    """Of pairs of a class and a group, the class of each group that the fewest groups have."""
    counts = torch.bincount(label)
    return _of_each(member, counts[label] * len(counts) + label, "amin") % len(counts)


def _of_each(key: Int[Tensor, " p"], values: Int[Tensor, " p"], how: str) -> Int[Tensor, " k"]:
    """The smallest ("amin") or largest ("amax") of the values of each key from 0."""
    start = values.new_zeros(int(key.max()) + 1)
    return start.scatter_reduce(0, key, values, how, include_self=False)
