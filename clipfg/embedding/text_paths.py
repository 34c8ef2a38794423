"""Which way through the text tower each text goes, and how many texts it cuts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from clipfg.embedding.cache import EmbeddingCache
from clipfg.errors import UsageError
from clipfg.types import content_hash

if TYPE_CHECKING:
    from clipfg.encoders.base import Encoder, TextPath

Use = Literal["images", "regions"]
"""What texts are compared with."""

SPECIAL = 4
"""No text has more tokens than bytes, the tokenizer's own beginning and end apart."""


@dataclass(frozen=True)
class TextPaths:
    """The path of each text, and how many of them are longer than their path takes."""

    paths: tuple[TextPath, ...]
    cut: int
    longest: int
    """The tokens that are left of those."""

    def __str__(self) -> str:
        return ", ".join(f"{count:,} {path}" for path, count in Counter(self.paths).items())


def check_path(encoder: Encoder, asked: TextPath | Literal["auto"]) -> None:
    """Raise `UsageError` for a path that the encoder lacks."""
    if asked != "auto" and asked not in encoder.text_paths:
        only = ", ".join(encoder.text_paths)
        raise UsageError(f"--text-path {asked}: {encoder.name} has no such path, only {only}.")


def choose_paths(
    texts: Sequence[str],
    encoder: Encoder,
    cache: EmbeddingCache | None,
    asked: TextPath | Literal["auto"] = "auto",
    use: Use = "images",
) -> TextPaths:
    """The path that is asked for, or for `"auto"` the one that suits each text.

    What regions are compared with goes the box way, however long; of the other texts those of more
    tokens than the short way takes go the long one. Encoders without such a way have the short one.
    Tokens are counted once and kept. Raises `UsageError` for a path that the encoder lacks.
    """
    check_path(encoder, asked)
    lengths = encoder.context_lengths
    usual: TextPath = "box" if use == "regions" and "box" in lengths else "short"
    spare: TextPath = "long" if use == "images" and "long" in lengths else usual
    if asked != "auto":
        usual = spare = asked
    counts = _long_texts(texts, encoder, cache, lengths[usual])
    longest = lengths[spare]
    return TextPaths(
        tuple(spare if place in counts else usual for place in range(len(texts))),
        sum(count > longest for count in counts.values()),
        longest,
    )


def _long_texts(
    texts: Sequence[str], encoder: Encoder, cache: EmbeddingCache | None, limit: int
) -> dict[int, int]:
    """The tokens of each text that has more than `limit`, by its place.

    Most texts are too short for that on sight, and need no tokenizer.
    """
    doubtful = [
        place
        for place, text in enumerate(texts)
        if len(text.encode(errors="surrogatepass")) + SPECIAL > limit
    ]
    if not doubtful:
        return {}
    read = [texts[place] for place in doubtful]
    digest = content_hash("\0".join(read).encode(errors="surrogatepass")).hex()
    key = f"tokens/{encoder.fingerprint}/{digest}"
    counts: list[int] = []
    if cache is not None and (kept := cache.fact(key)):
        with suppress(ValueError):  # written by another version, so counted again
            counts = json.loads(kept)
    if len(counts) != len(read):
        counts = encoder.count_tokens(read)
        if cache is not None:
            cache.put_fact(key, json.dumps(counts))
    return {place: n for place, n in zip(doubtful, counts, strict=True) if n > limit}
