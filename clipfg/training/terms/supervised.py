"""What losses of images and their classes have in common."""

from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipfg.training.batches import Batch
from clipfg.training.nets.projection_head import ProjectionHead
from clipfg.training.student import Embeddings
from clipfg.training.terms.base import Context, Term


class Supervised(Term):
    """A loss on a head's projections of all views of the images, by class.

    Images without a class are left out. Raises `DataError` for fewer than two classes.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"images", "views"})

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        context.classes()
        self.head = ProjectionHead(context.dim)

    def rows(
        self, made: Embeddings, batch: Batch
    ) -> tuple[Float[Tensor, "n o"], Int[Tensor, " n"]]:
        """Unit-norm projections of the views, those of an image one after another, and classes."""
        views = made["images"][:, None]
        if "views" in made:
            views = torch.cat((views, made["views"]), dim=1)
        labels = batch.labels.to(views.device)
        known = labels >= 0
        return (
            self.head(views[known].flatten(0, 1)),
            labels[known].repeat_interleave(views.shape[1]),
        )
