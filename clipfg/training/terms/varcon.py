"""Images near the centre of their class."""

from jaxtyping import Float
from torch import Tensor

from clipfg.training.batches import Batch
from clipfg.training.losses.varcon import varcon
from clipfg.training.recipes.varcon import VarCon as VarConRecipe
from clipfg.training.student import Embeddings, Student
from clipfg.training.terms.base import Context
from clipfg.training.terms.supervised import Supervised


class VarCon(Supervised):
    """Variational supervised contrastive loss at `temperature` and `epsilon` of the recipe."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.epsilon = context.numbers(VarConRecipe).epsilon

    def forward(self, made: Embeddings, batch: Batch, student: Student) -> Float[Tensor, ""]:  # noqa: ARG002
        """Of a whole batch."""
        return varcon(*self.rows(made, batch), self.recipe.temperature, self.epsilon)
