"""A small byte-pair vocabulary in the format of open_clip's `SimpleTokenizer`."""

import gzip
import re
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np

from clipfg.data.synthflora.captions import long_caption, name_caption, short_caption
from clipfg.data.synthflora.flower import flower_at

_WORD = re.compile(r"[^\W\d_]+")  # the tokenizer splits digits and punctuation

_COMMON = (
    "a photo of the an this that is one kind type species genus family flower plant petal petals"
    " leaf leaves centre center eye eyed picture image drawing close up in on with and small large"
    " bad good blurry my their it which has have colour color wild garden sort field guide"
)


def corpus(size: int = 4000) -> list[str]:
    """Captions and names of free and seen flowers, and the common words of prompts."""
    rng = np.random.default_rng(0)
    texts = [_COMMON] * 50
    for index in range(size):
        traits = flower_at(0, "pretrain", index).traits
        texts += [
            long_caption(traits, index),
            short_caption(traits, rng).text,
            name_caption(traits).text,
        ]
    return texts


def learn_merges(texts: Iterable[str], limit: int) -> list[tuple[str, str]]:
    """At most `limit` merges, most frequent pair first; ties in alphabetical order."""
    counts = Counter(word for text in texts for word in _WORD.findall(text.lower()))
    words = {word: (*word[:-1], f"{word[-1]}</w>") for word in counts}
    merges: list[tuple[str, str]] = []
    while len(merges) < limit:
        pairs: Counter[tuple[str, str]] = Counter()
        for word, pieces in words.items():
            for pair in pairwise(pieces):
                pairs[pair] += counts[word]
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        words = {word: _merged(pieces, best) for word, pieces in words.items()}
    return merges


def _merged(pieces: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    joined: list[str] = []
    for piece in pieces:
        if joined and (joined[-1], piece) == pair:
            joined[-1] += piece
        else:
            joined.append(piece)
    return tuple(joined)


def write_merges(merges: Iterable[tuple[str, str]], path: Path) -> None:
    """Write a merges file; equal merges give equal bytes."""
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
    path.write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0))
