"""Label-free criteria: how good a text classifier is on these images, judged without labels.

Each criterion takes logits `[n, c]` of unlabelled images and their unit-norm features, and returns
a number that should be larger for the more accurate classifier. `benchmarks/ensembling.py` measures
how well each ranks prompt sets; docs/benchmarks/prompts.md has the results.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from clipfg.functional import similarity
from clipfg.functional.neighbours import nearest_neighbours

NEIGHBOURS = 5


def confidence(logits: Float[Tensor, "n c"], features: Float[Tensor, "n d"]) -> float:  # noqa: ARG001
    """The mean probability of the predicted class, from 1/c to 1."""
    return float(similarity.confidence(logits).mean())


def margin(logits: Float[Tensor, "n c"], features: Float[Tensor, "n d"]) -> float:  # noqa: ARG001
    """The mean largest logit after subtracting each class's mean logit, as `weighted` scores."""
    logits = logits.float()
    return float((logits - logits.mean(dim=0)).amax(dim=1).mean())


def information(logits: Float[Tensor, "n c"], features: Float[Tensor, "n d"]) -> float:  # noqa: ARG001
    """Mutual information of image and prediction: `H(mean p) - mean H(p)` in nats, 0 to log c.

    Large where predictions are confident and yet spread over the classes.
    """
    shares = logits.float().softmax(dim=1)
    each = -(shares * logits.float().log_softmax(dim=1)).sum(dim=1).mean()
    mean = shares.mean(dim=0).clamp_min(torch.finfo(shares.dtype).tiny)
    return float(-(mean * mean.log()).sum() - each)


def agreement(logits: Float[Tensor, "n c"], features: Float[Tensor, "n d"]) -> float:
    """How much more often similar images share a class than any two images do, at most 1.

    Cohen's kappa between the prediction of an image and those of its neighbours:
    `(A - E) / (1 - E)`, with `A = mean_i mean_{j near i} p_i . p_j` over the nearest images and
    `E = |mean p|^2`. High where class borders run between groups of similar images, 0 where all
    images get one class.
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
"""The criterion of `--prompts auto`: it chose the best of the plain sets in all three measured
cases. So did `confidence`, but that rewards a classifier for confidence alone."""
