"""Trained weights held near those of the base."""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from clipfg.training.batches import Batch
from clipfg.training.student import Embeddings, Student
from clipfg.training.terms.base import Context, Term


class Anchor(Term):
    """|W - W0|^2 / N over the towers' trained weights, N the images a class: ProLIP's lambda.

    Low-rank updates are held near their beginning. Raises `DataError` for fewer than two classes.

    Source: Fahes et al. 2024, ProLIP, arXiv:2410.05270, equation 6.
    """

    needs: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        labelled = int((context.examples.labels >= 0).sum())
        self.shots = labelled / len(context.classes())
        self.base: list[Tensor] = []

    def attach(self, student: Student) -> None:
        """Where the weights begin."""
        self.base = [w.detach().clone() for w in _trained(student)]

    def forward(self, made: Embeddings, batch: Batch, student: Student) -> Float[Tensor, ""]:  # noqa: ARG002
        """Of the weights as they are."""
        away = [(w - w0).square().sum() for w, w0 in zip(_trained(student), self.base, strict=True)]
        return torch.stack(away).sum() / self.shots


def _trained(student: Student) -> list[Tensor]:
    return [weight for weight in student.towers.parameters() if weight.requires_grad]
