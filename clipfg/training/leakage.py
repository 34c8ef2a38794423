"""Training items that occur in the evaluation split: by id, by content, or as near copies."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from clipfg.data.sources import read
from clipfg.embedding.cache import EmbeddingCache
from clipfg.embedding.content_hash import contents_of
from clipfg.embedding.framing import Framing
from clipfg.embedding.near_copies import find_near_copies
from clipfg.errors import ItemError
from clipfg.types import Manifest, content_hash, equal_rows

NEIGHBOURS = 4
"""Evaluation items that are looked at for each training item, by cosine."""
LOOKED_AT = 400
"""Pairs whose pixels are looked at, at least; more as long as copies are found."""
NAMED = 5
_CELLS = 32_000_000

Kind = Literal["id", "content", "near copy"]


@dataclass(frozen=True)
class Leak:
    """A training item that is also one of the evaluation split."""

    kind: Kind
    row: int
    """In the training manifest."""
    id: str
    evaluated: str
    """The id of the evaluation item that it is."""


def find_leaks(
    training: Manifest,
    evaluation: Manifest,
    features: tuple[Float[Tensor, "n d"], Float[Tensor, "m d"]] | None = None,
    cache: EmbeddingCache | None = None,
    framing: Framing | None = None,
) -> list[Leak]:
    """The training items that occur in the evaluation split, each once, in the training order.

    By id where both manifests are of one data set, and by path; by content: the bytes, hashed (with
    a `cache`, those that it knows are not read again), and equal `features`, unit-norm rows in the
    order of each manifest, 0 for an item that cannot be used; as a near copy: of the `features`
    nearest to each item, those whose pixels are those of the item cropped, mirrored, resized or
    saved again (docs/lint.md). Without features, near copies are not looked for. With `framing`,
    features are of parts of pictures, whose pixels count. Parts of one picture share its path, so
    that a picture is never half in training.
    """
    found: dict[int, Leak] = {}
    for kind, row, other in (
        *_by_name(training, evaluation),
        *_by_content(training, evaluation, cache),
        *(_by_feature(training, evaluation, *features, framing) if features is not None else ()),
    ):
        leak = Leak(kind, row, training.ids[row], evaluation.ids[other])
        found.setdefault(row, leak)
    return [found[row] for row in sorted(found)]


def leaks_said(leaks: Sequence[Leak], training: Manifest, evaluation: Manifest) -> str:
    """A sentence that counts leaks by kind and names some; empty where there are none."""
    if not leaks:
        return ""
    kinds = {"id": "by id or path", "content": "by content", "near copy": "as a near copy"}
    counted = ", ".join(
        f"{count:,} {how}"
        for kind, how in kinds.items()
        if (count := sum(leak.kind == kind for leak in leaks))
    )
    named = ", ".join(
        leak.id if leak.id == leak.evaluated else f"{leak.id} ({leak.evaluated})"
        for leak in leaks[:NAMED]
    )
    more = ", ..." if len(leaks) > NAMED else ""
    return (
        f"{len(leaks):,} of {len(training):,} training items are also in the {len(evaluation):,} of"
        f" the evaluation split ({counted}): {named}{more}."
    )


Found = tuple[Kind, int, int]
"""A kind, the training row and the evaluation row."""


def _by_name(training: Manifest, evaluation: Manifest) -> Iterator[Found]:
    same = training.name.partition("@")[0] == evaluation.name.partition("@")[0]
    ids = _first_of(evaluation.ids) if same else {}
    paths = _first_of(evaluation.uris)
    for row, (id, uri) in enumerate(zip(training.ids, training.uris, strict=True)):
        # Items of a features file have no path but their id.
        other = ids.get(id, paths.get(uri) if uri != id else None)
        if other is not None:
            yield "id", row, other


def _by_content(
    training: Manifest, evaluation: Manifest, cache: EmbeddingCache | None
) -> Iterator[Found]:
    theirs = _contents(evaluation.uris, cache)
    places = {theirs[uri]: row for uri, row in _first_of(evaluation.uris).items() if uri in theirs}
    ours = _contents(training.uris, cache)
    for row, uri in enumerate(training.uris):
        if (other := places.get(ours.get(uri, b""))) is not None:
            yield "content", row, other


def _contents(uris: Sequence[str], cache: EmbeddingCache | None) -> dict[str, bytes]:
    if cache is not None:
        return contents_of(uris, cache)
    found = {}
    for uri in dict.fromkeys(uris):
        with suppress(ItemError):
            found[uri] = content_hash(read(uri))
    return found


def _by_feature(
    training: Manifest,
    evaluation: Manifest,
    ours: Float[Tensor, "n d"],
    theirs: Float[Tensor, "m d"],
    framing: Framing | None,
) -> Iterator[Found]:
    n = len(ours)
    first = equal_rows(torch.cat([theirs, ours]).numpy())[len(theirs) :]
    for row in np.flatnonzero((first < len(theirs)) & ours.any(dim=1).numpy()).tolist():
        yield "content", row, int(first[row])
    step = max(1, _CELLS // max(len(theirs), 1))
    near = [
        (block @ theirs.T).topk(min(NEIGHBOURS, len(theirs)), dim=1) for block in ours.split(step)
    ]
    cosines = torch.cat([best.values for best in near])
    places = torch.cat([best.indices for best in near]) + n
    uris = [*training.uris, *evaluation.uris]
    frames = None
    if framing is not None:
        frames = [*framing.frames(training), *framing.frames(evaluation)]
    for row, other, _, _ in find_near_copies(uris, cosines, places, least=LOOKED_AT, frames=frames):
        yield "near copy", row, other - n


def _first_of(values: Sequence[str]) -> dict[str, int]:
    """The first place of each value."""
    return {value: place for place, value in reversed([*enumerate(values)])}
