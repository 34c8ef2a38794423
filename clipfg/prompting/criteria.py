"""How good is a text classifier on these images? Judged without a single label.

Each criterion takes logits `[n, c]` of unlabelled images, and their unit-norm features, and gives
a number that should be larger for the classifier that is right more often. None of them knows what
is right; `benchmarks/ensembling.py` measures how well each ranks prompt sets, and
`docs/benchmarks.md` says how that came out.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from clipfg.functional.neighbours import nearest_neighbours

NEIGHBOURS = 5


def confidence(logits: Float[Tensor, "n c"], features: Float[Tensor, "n d"]) -> float:  # noqa: ARG001
    """The mean probability of the predicted class, from 1/c to 1."""
    return float(logits.float().softmax(dim=1).amax(dim=1).mean())


def margin(logits: Float[Tensor, "n c"], features: Float[Tensor, "n d"]) -> float:  # noqa: ARG001
    """The mean largest logit once each class's mean logit is taken off, as `weighted` scores."""
    logits = logits.float()
    return float((logits - logits.mean(dim=0)).amax(dim=1).mean())


def information(logits: Float[Tensor, "n c"], features: Float[Tensor, "n d"]) -> float:  # noqa: ARG001
    """What a prediction says of the image: `H(mean p) - mean H(p)`, in nats, from 0 to log c.

    Large where predictions are sure and still spread over the classes.
    """
    shares = logits.float().softmax(dim=1)
    each = -(shares * logits.float().log_softmax(dim=1)).sum(dim=1).mean()
    mean = shares.mean(dim=0).clamp_min(torch.finfo(shares.dtype).tiny)
    return float(-(mean * mean.log()).sum() - each)


def agreement(logits: Float[Tensor, "n c"], features: Float[Tensor, "n d"]) -> float:
    """How much likelier look-alikes share a class than any two images, at most 1.

    `(A - E) / (1 - E)`, with `A = mean_i mean_{j near i} p_i . p_j` over the nearest images and
    `E = |mean p|^2`: Cohen's kappa between an image's prediction and its neighbours'. A classifier
    that draws its borders between groups of look-alikes scores high, one that calls everything by
    one name scores 0.
    """
    shares = logits.float().softmax(dim=1)
    _, near = nearest_neighbours(features, NEIGHBOURS)
    shared = torch.stack([(shares * shares[column]).sum(dim=1).mean() for column in near.T]).mean()
    expected = shares.mean(dim=0).square().sum()
    return float((shared - expected) / (1 - expected).clamp_min(1e-6))


CRITERIA: dict[str, Callable[[Tensor, Tensor], float]] = {
    "confidence": confidence,
    "margin": margin,
    "information": information,
    "agreement": agreement,
}

CHOSEN = "agreement"
"""What `--prompts auto` goes by: it picked the best of the plain sets in all three measured cases.
So did `confidence`, which rewards a classifier for being sure alone."""
