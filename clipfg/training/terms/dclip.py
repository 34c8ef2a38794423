"""Images near a teacher that reads their captions: DCLIP as published, for comparison."""

import math
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from clipfg.mining.spans import noun_phrases
from clipfg.training.batches import Batch
from clipfg.training.losses.contrastive import contrastive
from clipfg.training.losses.dclip import dclip
from clipfg.training.nets.dclip_teacher import DclipTeacher
from clipfg.training.student import Embeddings, Student
from clipfg.training.terms.base import Context, Term

HEADS = 8
"""Of the teacher's attention, where the width is a multiple of it."""


class Dclip(Term):
    """`clipfg.training.losses.dclip`, its teacher trained along; it leaks the captions.

    The teacher gets the crops of the image's regions and the noun phrases of the drawn caption (the
    caption itself where it has none), both as the frozen base sees them, and learns to find the
    caption.
    """

    # `targets` asks for what the base sees in crops; it is not read.
    needs: ClassVar[frozenset[str]] = frozenset(
        {"images", "captions", "targets", "crops", "crop_mask"}
    )

    _frozen: Tensor
    """Of all captions and their spans."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        captions = sorted({text for own in context.examples.captions for text in own})
        spans = {text: noun_phrases(text) or [text] for text in captions}
        known = list(dict.fromkeys([*captions, *(one for own in spans.values() for one in own)]))
        place = {text: row for row, text in enumerate(known)}
        self.place = place
        self.spans = {text: torch.tensor([place[one] for one in spans[text]]) for text in captions}
        self.register_buffer("_frozen", context.frozen_texts(known), persistent=False)
        self.teacher = DclipTeacher(context.dim, math.gcd(HEADS, context.dim))

    def forward(self, made: Embeddings, batch: Batch, student: Student) -> Float[Tensor, ""]:  # noqa: ARG002
        """Of a whole batch."""
        spans, mask = self._spans(batch)
        teacher = self.teacher(made["crops"], spans, made["crop_mask"], mask)
        captions = self._frozen[[self.place[text] for text in batch.captions]]
        temperature = self.recipe.temperature
        student_loss = dclip(made["images"], made["captions"], teacher, captions, temperature)
        also_true = batch.also_true.to(teacher.device)
        return student_loss["loss"] + contrastive(teacher, captions, 1 / temperature, also_true)

    def _spans(self, batch: Batch) -> tuple[Float[Tensor, "b t d"], Bool[Tensor, "b t"]]:
        rows = pad_sequence(
            [self.spans[text] for text in batch.captions], batch_first=True, padding_value=-1
        ).to(self._frozen.device)
        return self._frozen[rows.clamp(min=0)], rows >= 0
