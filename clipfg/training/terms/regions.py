"""Regions of images against their phrases."""

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from clipfg.training.batches import Batch
from clipfg.training.losses.region_phrases import region_phrases
from clipfg.training.student import Embeddings, Student
from clipfg.training.terms.base import Term


class Regions(Term):
    """Each region, read from the dense map, against the phrases of the batch."""

    needs: ClassVar[frozenset[str]] = frozenset({"images", "regions", "phrases"})

    def forward(self, made: Embeddings, batch: Batch, student: Student) -> Float[Tensor, ""]:
        """Of a whole batch; regions without a phrase do not count."""
        assert batch.valid is not None
        ids = batch.phrase_ids.to(made["regions"].device)
        valid = batch.valid.to(ids.device) & (ids >= 0)
        return region_phrases(made["regions"], made["phrases"], valid, student.scale, ids)
