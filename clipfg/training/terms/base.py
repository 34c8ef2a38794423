"""What a term is: one loss of what a student makes of a batch."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from jaxtyping import Float, Int
from torch import Tensor, nn

from clipfg.errors import DataError
from clipfg.registry import Registry
from clipfg.training.batches import Batch, Examples
from clipfg.training.recipes.base import Recipe
from clipfg.training.student import Embeddings, Student

R = TypeVar("R", bound=Recipe)
FrozenTexts = Callable[[Sequence[str]], Float[Tensor, "t d"]]


@dataclass(frozen=True)
class Context:
    """What a term may be made from."""

    recipe: Recipe
    examples: Examples
    dim: int
    """The width of the encoder's features."""
    frozen_texts: FrozenTexts
    """Unit-norm features of texts as the base makes them."""

    def numbers(self, kind: type[R]) -> R:
        """The recipe where it is of the kind that has a loss's numbers, else their defaults."""
        return self.recipe if isinstance(self.recipe, kind) else kind()

    def classes(self) -> Int[Tensor, " c"]:
        """The classes that there are examples of. Raises `DataError` for fewer than two."""
        labels = self.examples.labels
        found = labels[labels >= 0].unique()
        if len(found) < 2:
            raise DataError(
                f"Expected images of two classes or more to learn from, got {len(found)}; give"
                " labels, or a recipe that learns from captions."
            )
        return found


class Term(nn.Module):
    """One loss of what the student makes of a batch.

    `needs` are the names of the embeddings and constants that it reads (`Embeddings`). It may have
    weights of its own, which are trained with the student's and not kept.
    """

    needs: ClassVar[frozenset[str]]

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.recipe = context.recipe

    def attach(self, student: Student) -> None:
        """What depends on the student's towers, before training."""

    @abstractmethod
    def forward(self, made: Embeddings, batch: Batch, student: Student) -> Float[Tensor, ""]:
        """The loss of a whole batch."""


TERMS: Registry[type[Term]] = Registry("loss", "clipfg.terms")
TERMS.register_all(
    "clipfg.training.terms",
    ("contrastive", "contrastive:Contrastive", "Images against captions (CLIP)"),
    ("sigmoid", "sigmoid:Sigmoid", "Pairs of images and captions (SigLIP)"),
    ("regions", "regions:Regions", "Regions against their phrases (FG-CLIP)"),
    ("spans", "spans:Spans", "Images against the phrases of their regions"),
    (
        "hard-negatives",
        "hard_negatives:HardNegatives",
        "Images against captions that are nearly true",
    ),
    ("distillation", "distillation:Distillation", "Images near what their regions' crops show"),
    ("dclip", "dclip:Dclip", "Images near a teacher that reads their captions: it leaks (DCLIP)"),
    ("fgclip", "fgclip:FgClip", "Long and short captions, regions and false phrases (FG-CLIP)"),
    ("cm-cgns", "cm_cgns:CmCgns", "Captions, patches and sentences; guided negatives (CM-CGNS)"),
    ("flyp", "flyp:Flyp", "Images against texts of their classes (FLYP)"),
    ("ce", "ce:CrossEntropy", "Images among all classes, whose texts are the classifier"),
    ("anchor", "anchor:Anchor", "Trained weights near those of the base (ProLIP)"),
    ("supcon", "supcon:SupCon", "Images of one class together (Khosla)"),
    ("varcon", "varcon:VarCon", "Images near their class's centre (VarCon)"),
    (
        "patch-prototypes",
        "patch_prototypes:PatchPrototypes",
        "Patches that show prototypes of classes (PiPViT)",
    ),
)
