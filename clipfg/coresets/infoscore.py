"""InfoScore: the items that most help others to be classified correctly."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipfg.coresets.base import Coreset, CoresetKeys, rows_by_class

_ROWS = 1024  # scored at a time


@dataclass(eq=False)
class InfoScore(Coreset):
    """The items of each class that most help others to be classified correctly.

    `I(e) = sum_x p(y_x | e, x) - p(y_x | x)`; the largest are taken. In the paper `p` is a language
    model's probability of the right answer to `x`, with `e` as its one demonstration and without
    any. Here, in feature space, class means take its place:

        p(y | x)    = exp(cos(x, mu_y) / t) / sum_c exp(cos(x, mu_c) / t)
        p(y | e, x) = the same with one more term exp(cos(x, e) / t) for the class of `e`

    so an item gains by being near others of its class and loses by being near those of other
    classes. `mu_c` leaves `x` out where `c` is its class, unless `x` is alone in it. The sum runs
    over an audience of other items. The paper's second stage, a search for a diverse order of
    demonstrations, is left out: equal items all score the same.

    `temperature` is `t`, in units of cosine; `audience` the largest number of items that the sum
    runs over, drawn once by `seed`.

    Source: Li and Qiu 2023, arXiv:2302.13539; as a coreset in a comparison of Chen et al. 2025,
    arXiv:2504.14200.
    """

    name: ClassVar[str] = "infoscore"

    temperature: float = 0.02
    audience: int = 2000
    seed: int = 0

    def _condense(self, features: Tensor, labels: Tensor, per_class: int) -> CoresetKeys:
        generator = torch.Generator().manual_seed(self.seed)
        drawn = torch.randperm(len(features), generator=generator)[: self.audience]
        scores = info_scores(features, labels, drawn.to(features.device), self.temperature)
        best = [
            rows[torch.sort(scores[rows], descending=True, stable=True).indices[:per_class]]
            for rows in rows_by_class(labels)
        ]
        chosen = torch.cat(best)
        return CoresetKeys(features[chosen], labels[chosen], chosen)


def info_scores(
    features: Float[Tensor, "n d"],
    labels: Int[Tensor, " n"],
    audience: Int[Tensor, " a"],
    temperature: float,
) -> Float[Tensor, " n"]:
    """`I(e)` of every row, summed over the rows `audience` without `e` itself."""
    labels = labels.unique(return_inverse=True)[1]
    terms, truth = _answers(features, labels, audience, temperature), labels[audience]
    right, total = terms.gather(1, truth[:, None]).flatten(), terms.sum(dim=1)
    x, scores = features[audience], []
    for rows in torch.arange(len(features), device=features.device).split(_ROWS):
        added = ((features[rows] @ x.T - 1) / temperature).exp()
        same = labels[rows, None] == truth
        gains = (right + added * same) / (total + added) - right / total
        scores.append(gains.masked_fill_(rows[:, None] == audience, 0).sum(dim=1))
    return torch.cat(scores)


def _answers(features: Tensor, labels: Tensor, audience: Tensor, temperature: float) -> Tensor:
    """`exp((cos(x, mu_c) - 1) / t)`, `[a, c]`; the mean of the own class leaves `x` out."""
    counts = torch.bincount(labels)
    sums = features.new_zeros(len(counts), features.shape[1]).index_add_(0, labels, features)
    x, truth = features[audience], labels[audience]
    cosines = x @ torch.nn.functional.normalize(sums, dim=1).T
    others = torch.where(counts[truth, None] > 1, sums[truth] - x, x)
    own = (x * torch.nn.functional.normalize(others, dim=1)).sum(dim=1, keepdim=True)
    return ((cosines.scatter(1, truth[:, None], own) - 1) / temperature).exp()
