"""Each pair of an image and a caption by itself."""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from clipfg.functional.cosines import cosines
from clipfg.training.batches import Batch
from clipfg.training.losses.sigmoid import sigmoid
from clipfg.training.student import Embeddings, Student
from clipfg.training.terms.base import Term


class Sigmoid(Term):
    """SigLIP's loss; a caption that is also true of another image makes no pair with it.

    For an encoder without an offset of its own, which is scored by a softmax, the offset is what
    the softmax subtracts: minus the mean log-sum-exp of the batch's logits, without a gradient.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"images", "captions"})

    def forward(self, made: Embeddings, batch: Batch, student: Student) -> Float[Tensor, ""]:
        """Of a whole batch."""
        images, captions = made["images"], made["captions"]
        also_true = batch.also_true.to(images.device)
        bias = student.bias
        if bias is None:
            bias = softmax_offset(images, captions, student.scale)
        return sigmoid(images, captions, student.scale, bias, also_true)


@torch.no_grad()
def softmax_offset(
    images: Float[Tensor, "b d"], texts: Float[Tensor, "t d"], scale: Float[Tensor, ""]
) -> Float[Tensor, ""]:
    """What makes sigmoid(scale x cosine + offset) about the softmax over texts."""
    return -(scale * cosines(images, texts)).logsumexp(dim=1).mean()
