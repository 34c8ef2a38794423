"""What a term is: one loss of what a student makes of a batch."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from clipfg.registry import Registry
from clipfg.training.batches import Batch, Examples
from clipfg.training.recipes.base import Recipe
from clipfg.training.student import Embeddings, Student


@dataclass(frozen=True)
class Context:
    """What a term may be made from."""

    recipe: Recipe
    examples: Examples
    dim: int
    """The width of the encoder's features."""
    frozen_texts: Callable[[Sequence[str]], Float[Tensor, "t d"]]
    """Unit-norm features of texts as the base makes them."""


class Term(nn.Module):
    """One loss of what the student makes of a batch.

    `needs` are the names of the embeddings and constants that it reads (`Embeddings`). It may have
    weights of its own, which are trained with the student's and not kept.
    """

    needs: ClassVar[frozenset[str]]

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.recipe = context.recipe

    @abstractmethod
    def forward(self, made: Embeddings, batch: Batch, student: Student) -> Float[Tensor, ""]:
        """The loss of a whole batch."""


TERMS: Registry[type[Term]] = Registry("loss", "clipfg.terms")
for name, target, summary in (
    ("contrastive", "contrastive:Contrastive", "Images against captions (CLIP)"),
    ("sigmoid", "sigmoid:Sigmoid", "Pairs of images and captions (SigLIP)"),
    ("regions", "regions:Regions", "Regions against their phrases (FG-CLIP)"),
    (
        "hard-negatives",
        "hard_negatives:HardNegatives",
        "Images against captions that are nearly true",
    ),
    ("distillation", "distillation:Distillation", "Images near what their regions' crops show"),
    ("supcon", "supcon:SupCon", "Images of one class together (Khosla)"),
    ("varcon", "varcon:VarCon", "Images near their class's centre (VarCon)"),
):
    TERMS.register(name, f"clipfg.training.terms.{target}", summary)
