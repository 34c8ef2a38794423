"""Images against texts of their classes."""

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from clipfg.errors import DataError
from clipfg.training.batches import Batch
from clipfg.training.losses.contrastive import contrastive
from clipfg.training.student import Embeddings, Student
from clipfg.training.terms.base import Context, Term


class Flyp(Term):
    """CLIP's loss on a text of each image's class, drawn each time.

    The paper counts texts of images of the same class as negatives; here, as everywhere, a text
    that is true of an image is none. Images without a class are left out. Raises `DataError` for
    fewer than two classes or classes without texts.

    Source: Goyal et al. 2023, FLYP, arXiv:2212.00638.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"images", "titles"})

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        check_texts(context)

    def forward(self, made: Embeddings, batch: Batch, student: Student) -> Float[Tensor, ""]:
        """Of a whole batch."""
        known = batch.labels >= 0
        also_true = batch.true_of(batch.titles)[known][:, known].to(made["images"].device)
        return contrastive(made["images"][known], made["titles"][known], student.scale, also_true)


def check_texts(context: Context) -> list[int]:
    """The classes with examples. Raises `DataError` for fewer than two or one without texts."""
    classes = context.classes().tolist()
    texts = context.examples.class_texts
    if bare := [label for label in classes if label >= len(texts) or not texts[label]]:
        raise DataError(
            f"Expected a text of each class, got none for {len(bare)} of {len(classes)}; give"
            " class texts or prompts."
        )
    return classes
