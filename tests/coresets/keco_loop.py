"""KeCO one sample at a time, as the paper has it: what the vectorised updates are held against."""

from collections import defaultdict

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity


def target_of(keys, key_labels, x, label, target, draw) -> int:
    """The position of the key that one sample moves."""
    own = [j for j in range(len(keys)) if key_labels[j] == label]
    if target == "random":
        return own[int(draw * len(own))]
    units = [keys[j] / keys[j].norm() for j in own]
    probe = sum(units) if target == "prototype" else x
    cosines = [float(cosine_similarity(unit, probe, dim=0)) for unit in units]
    if target == "prototype":  # two keys are equally near to their mean
        return own[next(j for j, value in enumerate(cosines) if value >= max(cosines) - 1e-5)]
    best = min(cosines) if target == "least" else max(cosines)
    return own[cosines.index(best)]


def online(keys, key_labels, features, labels, rate, target, draws) -> Tensor:
    keys = keys.clone()
    for x, label, draw in zip(features, labels.tolist(), draws.tolist(), strict=True):
        j = target_of(keys, key_labels, x, label, target, draw)
        keys[j] = (1 - rate) * keys[j] + rate * x
    return keys


def offline(keys, key_labels, features, labels, rate, target, draws, orders, batch_size) -> Tensor:
    """`orders` and `draws` hold one permutation and one row of numbers for each epoch."""
    keys = keys.clone()
    for order, drawn in zip(orders, draws, strict=True):
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size].tolist()
            aims = defaultdict(list)
            for place, i in enumerate(batch):
                draw = float(drawn[start + place])
                j = target_of(keys, key_labels, features[i], labels[i], target, draw)
                aims[j].append(features[i])
            before = keys.clone()
            for j, samples in aims.items():
                gradient = torch.stack([before[j] - x for x in samples]).mean(dim=0)
                keys[j] = before[j] - rate * gradient
    return keys
