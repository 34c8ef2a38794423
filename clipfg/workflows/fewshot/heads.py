"""The heads that a few-shot run compares, by name."""

from dataclasses import dataclass, field
from inspect import signature
from time import perf_counter
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from clipfg.errors import UsageError
from clipfg.heads import HEADS, Head
from clipfg.heads.base import Consumes
from clipfg.heads.few_shot import FewShotHead
from clipfg.heads.items import Items
from clipfg.heads.support import Support
from clipfg.heads.transduction import TRANSDUCTIONS
from clipfg.training.heads import Base
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
    def kind(self) -> type[Head[Any]]:
        """The class of the head."""
        return HEADS.get(self.head)

    def predict(self, head: Head[Any], pool: Items) -> Int[Tensor, " n"]:
        """The likeliest class of every image of the test pool."""
        given = pool.given_to(type(head))
        if self.method is None:
            return torch.cat([block.argmax(dim=1) for block in in_blocks(given, head.logits)])
        return TRANSDUCTIONS.get(self.method)(pool.features, head.logits(given)).argmax(dim=1)


@dataclass(frozen=True)
class HeadSet:
    """The heads of a run; all are compared with `first`, which is one of them.

    `scales` is how the encoder itself turns cosines into logits, for zero-shot; `base` the encoder
    with what is said of the classes, where a head learns with it.
    """

    specs: tuple[HeadSpec, ...]
    first: HeadSpec
    scales: dict[str, float] = field(default_factory=dict)
    base: Base | None = None

    @property
    def by_head(self) -> dict[str, list[HeadSpec]]:
        """Specs by the head that they share, which is trained once."""
        heads: dict[str, list[HeadSpec]] = {}
        for spec in self.specs:
            heads.setdefault(spec.head, []).append(spec)
        return heads

    def that_consume(self, what: Consumes) -> list[HeadSpec]:
        """Those that take a kind of features."""
        return [spec for spec in self.specs if spec.kind.consumes == what]

    @property
    def that_need_encoder(self) -> list[HeadSpec]:
        """Those that learn with the encoder itself."""
        return [spec for spec in self.specs if spec.kind.needs_encoder]

    def fit(self, name: str, support: Support, seed: int) -> tuple[Head, float]:
        """A trained head, and the seconds that training took."""
        kind = HEADS.get(name)
        options: dict[str, float] = dict(self.scales) if name == ZERO_SHOT else {}
        if "seed" in signature(kind).parameters:
            options["seed"] = seed
        head = kind(**options)
        started = perf_counter()
        more: dict[str, Any] = {"base": self.base} if kind.needs_encoder else {}
        if kind.needs_encoder or issubclass(kind, FewShotHead):
            more["groups"] = support.groups
        given = support.items.given_to(kind)
        head.fit(given, support.labels, support.texts, **more)
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
        if (takes := spec.kind.consumes) not in ("pooled", "patches", "images"):
            raise UsageError(f"Head {spec.head!r} takes {takes}, and few-shot runs have images.")
        if takes == "patches" and spec.method is not None:
            raise UsageError(
                f"{spec.method} refines heads on pooled features, and {spec.head} takes patches."
            )
    return tuple(found)
