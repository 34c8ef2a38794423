"""The captions of each picture: its own, else sentences about its class."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from jaxtyping import Bool

from clipfg.errors import DataError
from clipfg.types import UNLABELLED, Manifest

MOST = 10
"""Captions of a picture: of more sentences about its class, so many are drawn."""


@dataclass(frozen=True)
class Captions:
    """The captions of n pictures, one or more each."""

    texts: tuple[tuple[str, ...], ...]
    composed: Bool[np.ndarray, "n"]
    """Of which pictures they are sentences about the class, and not their own."""

    @property
    def share_composed(self) -> float:
        """From 0 to 1."""
        return float(self.composed.mean())

    @property
    def remark(self) -> str:
        """A sentence on where the captions come from."""
        n, made = len(self.texts), int(self.composed.sum())
        if made == 0:
            return f"Captions: their own, for all {n:,} pictures"
        return f"Captions: composed of class names and descriptions for {made:,} of {n:,} pictures"


def captions_of(
    manifest: Manifest, sentences: Sequence[Sequence[str]] = (), seed: int = 0, most: int = MOST
) -> Captions:
    """Each picture's own captions, else `most` of the `sentences` `[c][*]` about its class.

    Sentences are what `prompting.texts_for` makes of the class list and the prompt set. Which of
    them a picture gets depends on its id and the seed alone.

    Raises `DataError` where a picture has neither.
    """
    own = manifest.column("captions") or [None] * len(manifest)
    labels = manifest.labels.tolist()
    texts: list[tuple[str, ...]] = []
    bare = []
    for id, captions, label in zip(manifest.ids, own, labels, strict=True):
        given = [text for text in captions or () if text and text.strip()]
        about = sentences[label] if label != UNLABELLED and label < len(sentences) else ()
        if not given and not about:
            bare.append(id)
        texts.append(tuple(given or _drawn(about, id, seed, most)))
    if bare:
        raise DataError(
            f"Expected a caption or a class for each picture of {manifest.name}, got neither for"
            f" {len(bare):,} of {len(texts):,}, such as {bare[0]}; give a column `captions` or"
            " `label`, or choose a split that has them."
        )
    composed = np.array([not captions for captions in own], dtype=bool)
    return Captions(tuple(texts), composed)


def _drawn(sentences: Sequence[str], id: str, seed: int, most: int) -> Sequence[str]:
    if len(sentences) <= most:
        return sentences
    number = int.from_bytes(blake2b(id.encode(), digest_size=8).digest())
    chosen = np.random.default_rng([seed, number]).choice(len(sentences), most, replace=False)
    return [sentences[place] for place in np.sort(chosen)]
