"""The heads that a few-shot run compares, by name."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipfg.errors import UsageError
from clipfg.heads import HEADS, Head
from clipfg.heads.transduction import TRANSDUCTIONS
from clipfg.workflows.pool import in_blocks

ZERO_SHOT = "zero-shot"
DEFAULT = "auto,whitened-mean,gda,linear-probe,tip-adapter,class-mean"


@dataclass(frozen=True)
class HeadSpec:
    """A head, and a transductive method that refines what it says of the test pool, or None."""

    head: str
    method: str | None = None

    @property
    def name(self) -> str:
        """As it was asked for: `gda`, or `gda+transclip`."""
        return f"{self.head}+{self.method}" if self.method else self.head

    @property
    def needs_texts(self) -> bool:
        """Whether it can do nothing without class texts."""
        return HEADS.get(self.head).needs_texts

    def predict(self, head: Head, pool: Float[Tensor, "n d"]) -> Int[Tensor, " n"]:
        """The likeliest class of every image of the test pool."""
        if self.method is None:
            return torch.cat([block.argmax(dim=1) for block in in_blocks(pool, head.logits)])
        return TRANSDUCTIONS.get(self.method)(pool, head.logits(pool)).argmax(dim=1)


def parse_heads(text: str) -> tuple[HeadSpec, ...]:
    """`"auto,gda,transclip"`: a transductive method refines the first head, or `gda+transclip`.

    Raises `UsageError` for unknown names, one that comes twice, and no head that comes first.
    """
    found: list[HeadSpec] = []
    for part in text.split(","):
        name = part.strip()
        base, plus, method = name.rpartition("+")
        if name in TRANSDUCTIONS:
            found.append(HeadSpec(found[0].head if found else "", name))
        elif plus and method in TRANSDUCTIONS:
            HEADS.get(base)
            found.append(HeadSpec(base, method))
        else:
            HEADS.get(name)
            found.append(HeadSpec(name))
    if found[0].method is not None:
        raise UsageError(
            f"Expected a head that can be kept to come first, got {text!r}: {found[0].method} needs"
            f" a pool to look at; try --head auto,{found[0].method}."
        )
    if len(set(found)) < len(found):
        raise UsageError(f"Expected different heads, got {text!r}.")
    return tuple(found)
