"""Heads that have not learnt some of the classes, to test detection of unknown images."""

from copy import copy
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from clipfg.heads import Head
from clipfg.heads.support import Support

GROUPS = 5
"""Groups of classes that are left out in turn."""


@dataclass(frozen=True)
class UnseenClassTrial:
    """A head fitted on the classes `known`, and positions of held-out images.

    `familiar` images are of known classes, `strange` ones of the others.
    """

    head: Head
    train: Support
    known: Int[Tensor, " k"]
    familiar: Int[Tensor, " f"]
    strange: Int[Tensor, " s"]


def without_classes(head: Head, support: Support, seed: int) -> list[UnseenClassTrial]:
    """`head` fitted again without each of five groups of classes, and without one fold.

    The fold's images of the remaining classes are `familiar`, all images of the group `strange`:
    those of the fold alone where the head has seen other boxes of their pictures. The negative
    class of a head on bags, which has nothing of its own, always stays. Empty if there are not
    enough classes or images to leave any out.
    """
    negative = head.config.get("negative")
    folds = support.folds(seed)
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(support.classes, generator=generator)
    groups = torch.empty_like(order)
    groups[order] = torch.arange(support.classes) % GROUPS
    if negative is not None:
        groups[negative] = -1
    found = []
    for group in range(min(GROUPS, support.classes)):
        stays = (groups != group)[support.labels]
        out = folds == group % (int(folds.max()) + 1) if int(folds.max()) >= 0 else None
        known = (groups != group).nonzero().flatten()
        if out is None or len(known) < 2 or not bool((out & stays).any()):
            continue
        unknown = ~stays if support.groups is None else ~stays & out
        if not bool(unknown.any()):
            continue
        train = _of_classes(support, stays & ~out, known)
        given = train.items.given_to(type(head))
        kind = copy(head)
        if negative is not None:
            kind.negative = int((known == negative).nonzero())  # type: ignore[attr-defined]
        refitted = kind.refit(given, train.labels, train.texts)
        familiar, strange = (rows.nonzero().flatten() for rows in (out & stays, unknown))
        found.append(UnseenClassTrial(refitted, train, known, familiar, strange))
    return found


def _of_classes(support: Support, rows: Tensor, known: Tensor) -> Support:
    """Some rows, with their classes renumbered."""
    place = torch.full((support.classes,), -1)
    place[known] = torch.arange(len(known))
    texts = None if support.texts is None else support.texts[known]
    labels = place[support.labels[rows]]
    own = vars(support.items[rows])
    return Support(labels=labels, classes=len(known), texts=texts, **own)
