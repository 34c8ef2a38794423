"""Folds of a labelled set, with each class spread over them as evenly as possible."""

import torch
from jaxtyping import Int
from torch import Tensor


def stratified_folds(labels: Int[Tensor, " n"], seed: int, most: int) -> Int[Tensor, " n"]:
    """The fold that each item is held out in; -1 if it is the only one of its class.

    Labels count from 0. There are as many folds as the largest class has items, and at most
    `most`.
    """
    counts = torch.bincount(labels)
    generator = torch.Generator().manual_seed(seed)
    shuffled = torch.randperm(len(labels), generator=generator).to(labels.device)
    order = shuffled[torch.sort(labels[shuffled], stable=True).indices]
    first = counts.cumsum(0) - counts
    place = torch.empty_like(labels)
    place[order] = torch.arange(len(labels), device=place.device) - first[labels[order]]
    # Small classes begin at different folds, or the last folds would stay empty.
    place = place + labels * (counts[labels] < most)
    folds = place % min(most, max(int(counts.max()), 1))
    return torch.where(counts[labels] > 1, folds, -1)
