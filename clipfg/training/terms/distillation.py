"""Images near what their regions' crops show a frozen encoder."""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from clipfg.training.batches import Batch
from clipfg.training.losses.distillation import distillation
from clipfg.training.student import Embeddings, Student
from clipfg.training.terms.base import Context, Term


class Distillation(Term):
    """Region-text distillation without a leak: `clipfg.training.losses.distillation`.

    `targets`, `phrase_scores` and `has_regions` are constants, made by the frozen base from the
    image and its crops (`clipfg.training.teacher`); no caption enters them.
    """

    needs: ClassVar[frozenset[str]] = frozenset(
        {"images", "captions", "targets", "phrase_scores", "has_regions"}
    )

    _frozen: Tensor
    _phrases: Tensor

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        known = sorted({text for own in context.examples.captions for text in own})
        self._place = {text: row for row, text in enumerate(known)}
        self.register_buffer("_frozen", context.frozen_texts(known), persistent=False)
        vocabulary = context.examples.vocabulary
        self.register_buffer("_phrases", context.frozen_texts(vocabulary), persistent=False)

    def forward(self, made: Embeddings, batch: Batch, student: Student) -> Float[Tensor, ""]:
        """Of a whole batch."""
        rows = torch.tensor([self._place[text] for text in batch.captions])
        frozen = self._frozen[rows]
        return distillation(
            made["images"],
            made["captions"],
            made["targets"],
            frozen,
            self._phrases,
            made["phrase_scores"],
            made["has_regions"],
            student.scale,
        )["loss"]
