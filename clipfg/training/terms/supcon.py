"""Images of one class together."""

from jaxtyping import Float
from torch import Tensor

from clipfg.training.batches import Batch
from clipfg.training.losses.supcon import supcon
from clipfg.training.student import Embeddings, Student
from clipfg.training.terms.supervised import Supervised


class SupCon(Supervised):
    """Supervised contrastive loss at `temperature` of the recipe."""

    def forward(self, made: Embeddings, batch: Batch, student: Student) -> Float[Tensor, ""]:  # noqa: ARG002
        """Of a whole batch."""
        return supcon(*self.rows(made, batch), self.recipe.temperature)
