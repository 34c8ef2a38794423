"""Images against the captions of a batch."""

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from clipfg.training.batches import Batch
from clipfg.training.losses.contrastive import contrastive
from clipfg.training.student import Embeddings, Student
from clipfg.training.terms.base import Term


class Contrastive(Term):
    """CLIP's loss; a caption that is also true of another image is no negative for it."""

    needs: ClassVar[frozenset[str]] = frozenset({"images", "captions"})

    def forward(self, made: Embeddings, batch: Batch, student: Student) -> Float[Tensor, ""]:
        """Of a whole batch."""
        also_true = batch.also_true.to(made["images"].device)
        return contrastive(made["images"], made["captions"], student.scale, also_true)
