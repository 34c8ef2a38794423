"""The heads that a few-shot run compares, by name."""

from dataclasses import dataclass, field
from inspect import signature
from time import perf_counter

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipfg.errors import UsageError
from clipfg.heads import HEADS, Head
from clipfg.heads.few_shot import FewShotHead
from clipfg.heads.support import Support
from clipfg.heads.transduction import TRANSDUCTIONS
from clipfg.workflows.pool import in_blocks

ZERO_SHOT = "zero-shot"


@dataclass(frozen=True)
class HeadSpec:
    """A head, and the transductive method that refines its logits of the test pool, or None."""

    head: str
    method: str | None = None

    @property
    def name(self) -> str:
        """As `--head` gives it: `gda`, or `gda+transclip`."""
        return f"{self.head}+{self.method}" if self.method else self.head

    @property
    def needs_texts(self) -> bool:
        """Whether it can learn nothing without class texts."""
        return HEADS.get(self.head).needs_texts

    def predict(self, head: Head, pool: Float[Tensor, "n d"]) -> Int[Tensor, " n"]:
        """The likeliest class of every image of the test pool."""
        if self.method is None:
            return torch.cat([block.argmax(dim=1) for block in in_blocks(pool, head.logits)])
        return TRANSDUCTIONS.get(self.method)(pool, head.logits(pool)).argmax(dim=1)


@dataclass(frozen=True)
class HeadSet:
    """The heads of a run; all are compared with `first`, which is one of them.

    `scales` is how the encoder itself turns cosines into logits, for zero-shot.
    """

    specs: tuple[HeadSpec, ...]
    first: HeadSpec
    scales: dict[str, float] = field(default_factory=dict)

    @property
    def by_head(self) -> dict[str, list[HeadSpec]]:
        """Specs by the head that they share, which is trained once."""
        heads: dict[str, list[HeadSpec]] = {}
        for spec in self.specs:
            heads.setdefault(spec.head, []).append(spec)
        return heads

    def fit(self, name: str, support: Support, seed: int) -> tuple[Head, float]:
        """A trained head, and the seconds that training took."""
        kind = HEADS.get(name)
        options: dict[str, float] = dict(self.scales) if name == ZERO_SHOT else {}
        if "seed" in signature(kind).parameters:
            options["seed"] = seed
        head = kind(**options)
        started = perf_counter()
        more = {"groups": support.groups} if isinstance(head, FewShotHead) else {}
        head.fit(support.features, support.labels, support.texts, **more)
        return head, perf_counter() - started

    def fit_first(self, support: Support, seed: int) -> Head:
        """The first head, trained."""
        return self.fit(self.first.head, support, seed)[0]


def parse_heads(text: str) -> tuple[HeadSpec, ...]:
    """`"auto,gda,transclip"`: a transductive method refines the first head; so `gda+transclip`.

    Raises `UsageError` for unknown names, one that is listed twice, and a method that comes first.
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
            f"{found[0].method} needs a pool of test images, so it cannot be saved as a head;"
            f" list another head first, such as --head auto,{found[0].method}."
        )
    if twice := next((spec for spec in found if found.count(spec) > 1), None):
        raise UsageError(f"Head {twice.name!r} is listed twice.")
    for spec in found:
        if (takes := HEADS.get(spec.head).consumes) != "pooled":
            raise UsageError(f"Head {spec.head!r} takes {takes}, and few-shot runs have images.")
    return tuple(found)
