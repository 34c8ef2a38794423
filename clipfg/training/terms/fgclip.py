"""FG-CLIP's second stage: long and short captions, regions, and false phrases of these."""

from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from clipfg.training.batches import FALSE_PHRASES, Batch, numbered
from clipfg.training.losses.fgclip1 import fgclip1
from clipfg.training.losses.fgclip2 import fgclip2
from clipfg.training.student import Embeddings, Student
from clipfg.training.terms.base import Context, Term

OWN_SCALES = ("logit_scale_finegraind", "logit_scale_hardneg")
"""What FG-CLIP 1 calls its own logarithms."""


class FgClip(Term):
    """FG-CLIP 2's loss for encoders that are scored by a sigmoid, else FG-CLIP 1's.

    The long caption is an item's longest, by the path for long texts where the encoder has one. The
    factors of regions and of false phrases are the encoder's own where it has them, else this
    term's; these begin at the encoder's factor. Raises `DataError` where no phrase states anything
    that could be false.
    """

    needs: ClassVar[frozenset[str]] = frozenset(
        {"images", "captions", "long", "regions", "phrases", "false_phrases"}
    )

    margin: Tensor

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        _ = context.examples.false_phrases
        self.scales = nn.ParameterList()
        self.register_buffer("margin", torch.zeros(()))

    def attach(self, student: Student) -> None:
        """Scales of its own for an encoder without."""
        if not hasattr(student.towers, OWN_SCALES[0]):
            start = student.scale.detach().log()
            self.scales = nn.ParameterList(start.clone() for _ in OWN_SCALES)

    def forward(self, made: Embeddings, batch: Batch, student: Student) -> Float[Tensor, ""]:
        """Of a whole batch."""
        assert batch.valid is not None
        false = made["false_phrases"].unflatten(1, (-1, FALSE_PHRASES))
        ids = _ids(batch).to(false.device)
        region, hard = (scale.exp() for scale in self.scales or _own_scales(student))
        common: dict[str, Any] = {
            "images": made["images"],
            "long_texts": made["long"],
            "short_texts": made["captions"],
            "regions": made["regions"],
            "phrases": made["phrases"],
            "false_phrases": false,
            "mask": batch.valid.to(false.device) & (ids[..., 0] >= 0),
            "false_mask": ids[..., 1:] >= 0,
            "scale": student.scale,
            "region_scale": region,
            "hard_scale": hard,
        }
        if student.bias is None:
            return fgclip1(**common, phrase_ids=ids[..., 0])["loss"]
        found = fgclip2(**common, bias=student.bias, margin=self.margin.clone(), ids=ids)
        self.margin.copy_(found["margin"])
        return found["loss"]


def _own_scales(student: Student) -> list[Tensor]:
    return [getattr(student.towers, name) for name in OWN_SCALES]


def _ids(batch: Batch) -> Int[Tensor, "b r k"]:
    """Numbers of the phrase of each region and of its false ones; -1 for what is not there."""
    rows = [(*true, *false) for true, false in zip(batch.phrases, batch.false_phrases, strict=True)]
    regions = len(batch.phrases[0])
    ids = numbered(rows)
    true, false = ids[:, :regions, None], ids[:, regions:].unflatten(1, (regions, FALSE_PHRASES))
    return torch.cat((true, false), dim=2)
