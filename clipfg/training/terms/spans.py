"""Whole images against the phrases of their parts."""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from clipfg.training.batches import Batch
from clipfg.training.losses.contrastive import contrastive
from clipfg.training.student import Embeddings, Student
from clipfg.training.terms.base import Term


class Spans(Term):
    """Each image against each phrase of its regions, as if it were a caption of its own.

    A phrase that another image of the batch has too is no negative for it.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"images", "phrases"})

    def forward(self, made: Embeddings, batch: Batch, student: Student) -> Float[Tensor, ""]:
        """Of a whole batch."""
        ids = batch.phrase_ids.to(made["images"].device)
        images, places = (ids >= 0).nonzero(as_tuple=True)
        own = ids[images, places]
        if not len(own):
            return made["images"].sum() * 0
        has = torch.zeros(len(ids), int(own.max()) + 1, dtype=torch.bool, device=ids.device)
        has[images, own] = True
        return contrastive(
            made["images"][images],
            made["phrases"][images, places],
            student.scale,
            has[images][:, own],
        )
