"""Text spans: the phrases that regions of a picture can be matched with."""

import re
from collections.abc import Iterable, Sequence

from clipfg.mining.phrases import phrases_of
from clipfg.mining.words import normalised
from clipfg.types import Manifest

MOST = 16
"""Spans of a picture: so many are kept, first come, first kept."""
_DETERMINER = re.compile(r"^(?:an?|the) ")
_PARTS = re.compile(r"[:;,]\s+|\.\s*")


def noun_phrases(caption: str) -> list[str]:
    """The noun phrases of a caption, without determiners: "a bird with a red bill" has two."""
    return [phrase.text for phrase in phrases_of(caption)]


def part_phrases(description: str, class_name: str = "") -> list[str]:
    """The phrases of a class's description: "bill long and hooked; legs red" has two.

    Its noun phrases, and each piece between colons, semicolons and commas that has none of its own
    and describes what stands before it. The class's own name is no phrase.
    """
    pieces = [piece.strip() for piece in _PARTS.split(description) if piece.strip()]
    found = [text for piece in pieces for text in _described(piece)]
    name = normalised(class_name)
    return [text for text in found if not name or name not in normalised(text)]


def _described(piece: str) -> list[str]:
    """The noun phrases of a piece; "tail long and wedge-shaped" is a phrase as it stands."""
    phrases = phrases_of(piece)
    words = normalised(piece).split()
    if len(phrases) == 1 and len(words) > 1 and phrases[0].tokens[-1].word == words[0]:
        return [piece]
    return [phrase.text for phrase in phrases]


def spans_of(
    manifest: Manifest,
    captions: Sequence[Sequence[str]],
    descriptions: Sequence[Sequence[str]] = (),
    most: int = MOST,
) -> list[list[str]]:
    """The spans of each picture, no two of them the same text, and at most `most`.

    In this order: phrases of the manifest's regions, noun phrases of the picture's `captions`
    `[n][*]`, and part phrases of its class's `descriptions` `[c][*]` (`ClassList.texts` in order).
    """
    regions = manifest.column("regions") or [None] * len(manifest)
    names = manifest.classes.names if manifest.classes else ()
    of_class = [
        [phrase for text in texts for phrase in part_phrases(text, name)]
        for name, texts in zip(names, descriptions, strict=False)
    ]
    found = []
    for own, texts, label in zip(regions, captions, manifest.labels.tolist(), strict=True):
        phrases = [region["phrase"] for region in own or () if region["phrase"]]
        phrases += [phrase for text in texts for phrase in noun_phrases(text)]
        phrases += of_class[label] if 0 <= label < len(of_class) else []
        found.append(_distinct(phrases)[:most])
    return found


def _distinct(phrases: Iterable[str]) -> list[str]:
    first: dict[str, str] = {}
    for phrase in phrases:
        if key := _DETERMINER.sub("", normalised(phrase)):
            first.setdefault(key, phrase)
    return list(first.values())
