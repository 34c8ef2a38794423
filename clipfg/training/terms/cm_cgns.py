"""Captions, patches and sentences, with negatives that clusters of sentences guide."""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from clipfg.functional.regions import patch_grid
from clipfg.training.batches import Batch
from clipfg.training.losses.centroids import Centroids
from clipfg.training.losses.cm_cgns import cm_cgns, reconstruct
from clipfg.training.nets.cross_attention import SigmoidCrossAttention
from clipfg.training.nets.masked_decoder import MaskedDecoder, draw_dropped
from clipfg.training.nets.projection_head import ProjectionHead
from clipfg.training.recipes.cm_cgns import CmCgns as CmCgnsRecipe
from clipfg.training.student import Embeddings, Student
from clipfg.training.terms.base import Context, Term


class CmCgns(Term):
    """`clipfg.training.losses.cm_cgns` on the patches of the image and sentences of its captions.

    Centroids begin with the first batch's sentences and follow each batch's. Patches that are
    dropped are rebuilt as pixels.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"images", "captions", "patches", "sentences"})

    centroids: Tensor
    started: Tensor

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.numbers = context.numbers(CmCgnsRecipe)
        # Each item has a sentence, so that any batch has enough of them to begin with.
        count = min(self.numbers.clusters, context.recipe.batch_size, len(context.examples))
        self.attention = SigmoidCrossAttention(context.dim)
        self.predictor = ProjectionHead(context.dim, context.dim)
        self.register_buffer("centroids", torch.zeros(count, context.dim))
        self.register_buffer("started", torch.zeros((), dtype=torch.bool))

    def attach(self, student: Student) -> None:
        """A decoder for its patches."""
        height, width = student.encoder.preprocessing.size
        rows, columns = patch_grid(student.tokens, height, width)
        values, dim = 3 * (height // rows) * (width // columns), self.centroids.shape[1]
        self.decoder = MaskedDecoder(dim, values, student.tokens)

    def forward(self, made: Embeddings, batch: Batch, student: Student) -> Float[Tensor, ""]:
        """Of a whole batch."""
        patches = made["patches"]
        mask = torch.tensor([[bool(text) for text in own] for own in batch.sentences])
        mask = mask.to(patches.device)
        read, seen = self.attention(patches, made["sentences"], mask)
        sentences = made["sentences"][mask]
        found = cm_cgns(
            made["images"],
            made["captions"],
            patches,
            read,
            self.predictor(patches),
            self.predictor(read),
            sentences,
            seen[mask],
            student.scale,
            centroids=self._follow(sentences.detach()),
            false_negatives=self.numbers.false_negatives,
            reconstruction=self._rebuilt(patches, read, batch, student),
            reconstruction_weight=self.numbers.reconstruction,
        )
        return found["loss"]

    def _follow(self, sentences: Float[Tensor, "n d"]) -> Centroids | None:
        """The centroids as they were, which then move; None where one alone would make sense."""
        if len(self.centroids) < 2:
            return None
        if not self.started:
            self.centroids.copy_(Centroids.start(sentences, len(self.centroids)).rows)
            self.started.fill_(True)
        before = Centroids(self.centroids.clone())
        self.centroids.copy_(before.moved(sentences, self.numbers.momentum).rows)
        return before

    def _rebuilt(
        self,
        patches: Float[Tensor, "b p d"],
        read: Float[Tensor, "b p d"],
        batch: Batch,
        student: Student,
    ) -> Float[Tensor, ""]:
        images, count, _ = patches.shape
        dropped = draw_dropped(images, count, torch.default_generator).to(patches.device)
        values = in_patches(student.encoder.inputs(batch.images()), patches.shape[1])
        return reconstruct(self.decoder(patches, read, dropped), values, dropped)


def in_patches(images: Float[Tensor, "b 3 h w"], count: int) -> Float[Tensor, "b p v"]:
    """The values of an image's square patches, row by row; a margin is left over."""
    height, width = images.shape[-2:]
    rows, columns = patch_grid(count, height, width)
    down, across = height // rows, width // columns
    kept = images[:, :, : rows * down, : columns * across]
    cells = kept.unflatten(3, (columns, across)).unflatten(2, (rows, down))
    return cells.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)
