"""Images among all classes, whose texts are the classifier."""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from clipfg.functional.cosines import cosines
from clipfg.training.batches import Batch
from clipfg.training.student import Embeddings, Student
from clipfg.training.terms.base import Context, Term
from clipfg.training.terms.flyp import check_texts


class CrossEntropy(Term):
    """Cross-entropy of each image over the classes that there are examples of.

    A class's weight is the mean of its texts' features where the text tower is frozen; else one of
    its texts, drawn each step, goes through the tower with gradients. Images without a class are
    left out. Raises `DataError` for fewer than two classes or classes without texts.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"images"})

    _classes: Tensor
    _frozen: Tensor

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        classes = check_texts(context)
        self.texts = [context.examples.class_texts[label] for label in classes]
        rows = context.frozen_texts([text for own in self.texts for text in own])
        means = [own.mean(dim=0) for own in rows.split([len(own) for own in self.texts])]
        self.register_buffer("_classes", torch.tensor(classes), persistent=False)
        self.register_buffer("_frozen", normalize(torch.stack(means), dim=-1), persistent=False)

    def forward(self, made: Embeddings, batch: Batch, student: Student) -> Float[Tensor, ""]:
        """Of a whole batch."""
        labels = batch.labels.to(self._classes.device)
        known = labels >= 0
        weights = self._drawn(student) if student.trains_texts else self._frozen
        logits = student.scale * cosines(made["images"][known], weights)
        targets = torch.searchsorted(self._classes, labels[known])
        return cross_entropy(logits, targets, reduction="sum") / known.sum().clamp(min=1)

    def _drawn(self, student: Student) -> Float[Tensor, "c d"]:
        return student.encode_texts([own[int(torch.randint(len(own), ()))] for own in self.texts])
