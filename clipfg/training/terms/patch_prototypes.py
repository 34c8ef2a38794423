"""Patches that show prototypes, by which classes are told."""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import batch_norm, cross_entropy

from clipfg.functional import prototypes
from clipfg.functional.regions import patch_grid
from clipfg.training.batches import Batch
from clipfg.training.recipes.patch_prototypes import PatchPrototypes as PatchPrototypesRecipe
from clipfg.training.student import Embeddings, Student
from clipfg.training.terms.base import Context, Term

GAIN = 3.0
"""Where training begins: the scale of normalised scores, and how far below 0 the mean is."""


class PatchPrototypes(Term):
    """`2 NLL + 0.01 align + 0.01 tanh` of the images and their mirror images.

    Prototypes and non-negative class weights are the term's own; classes are told by what the head
    of that name goes by, the mean score of a prototype over an image. Images without a class are
    left out. Raises `DataError` for fewer than two classes.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"patches", "mirrored"})

    _classes: Tensor

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        classes = context.classes()
        count = context.numbers(PatchPrototypesRecipe).prototypes
        self.filters = nn.Parameter(torch.randn(count, context.dim) / context.dim**0.5)
        self.gain = nn.Parameter(torch.full((count,), GAIN))
        self.shift = nn.Parameter(torch.full((count,), -GAIN))
        self.weights = nn.Parameter(torch.full((len(classes), count), 0.1))
        self.register_buffer("_classes", classes, persistent=False)

    def forward(self, made: Embeddings, batch: Batch, student: Student) -> Float[Tensor, ""]:
        """Of a whole batch."""
        known = batch.labels.to(self._classes.device) >= 0
        labels = torch.searchsorted(self._classes, batch.labels.to(self._classes.device)[known])
        height, width = student.encoder.preprocessing.size
        first = made["patches"][known]
        grid = patch_grid(first.shape[1], height, width)
        mirrored = made["mirrored"][known].unflatten(1, grid).flip(2).flatten(1, 2)
        if len(first) < 2:
            return first.sum() * 0  # no spread to normalise by
        scores = torch.cat([first, mirrored]).flatten(0, 1) @ self.filters.T
        scores = batch_norm(scores, None, None, self.gain, self.shift, training=True)
        one, other = prototypes.shares(scores).chunk(2)
        seen = scores.relu().unflatten(0, (2, len(first), -1)).mean(dim=2)
        weights = self.weights.clamp(min=0)
        nll = [cross_entropy(presence @ weights.T, labels) for presence in seen]
        largest = [shares.unflatten(0, (len(first), -1)).amax(dim=1) for shares in (one, other)]
        tanh = [prototypes.tanh_loss(each) for each in largest]
        align = prototypes.align_loss(one, other)
        return sum(nll) + 0.01 * align + 0.01 * sum(tanh) / 2  # 2 NLL, in the mean of both views
