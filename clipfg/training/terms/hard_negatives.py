"""Images against captions that are nearly true of them."""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from clipfg.training.batches import Batch
from clipfg.training.losses.hard_negatives import hard_negatives
from clipfg.training.student import Embeddings, Student
from clipfg.training.terms.base import Term


class HardNegatives(Term):
    """Each image's caption against false captions of its own."""

    needs: ClassVar[frozenset[str]] = frozenset({"images", "captions", "negatives"})

    def forward(self, made: Embeddings, batch: Batch, student: Student) -> Float[Tensor, ""]:
        """Of a whole batch."""
        there = torch.tensor([[bool(text) for text in row] for row in batch.negatives])
        return hard_negatives(
            made["images"],
            made["captions"],
            made["negatives"],
            student.scale,
            there.to(made["images"].device),
        )
