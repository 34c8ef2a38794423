"""Texts about a flower: names, captions long and short, phrases for parts, hard negatives.

A caption carries the attributes that it states, so a trainer or a test can tell which other images
it also describes.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import lru_cache

import numpy as np

from clipfg.data.synthflora.taxonomy import ATTRIBUTES, Traits, genus_of, name_of


@dataclass(frozen=True, slots=True)
class Caption:
    """A sentence and the names of the attributes that it states."""

    text: str
    states: frozenset[str] = frozenset(ATTRIBUTES)


LONG_STYLES: tuple[str, ...] = (
    "a {count}-petalled {colour} flower with {shape}, {marking} petals,"
    " a {eye} {centre} centre and {leaf} leaves",
    "a flower with {count} {shape} {colour} petals that are {marking},"
    " around a {centre} {eye} centre, and {leaf} leaves below",
    "{leaf} leaves on the stem; above them {count} {marking} {colour} petals, {shape} in shape,"
    " with a {eye} centre that is {centre}",
    "{marking} {colour} petals, {count} of them and {shape}; the centre is {eye} and {centre},"
    " the leaves are {leaf}",
)
"""Sentences that name every attribute."""

_SHORT_STYLES: tuple[str, ...] = (
    "a {marking} {colour} flower with a {eye} centre",
    "a {count}-petalled {colour} flower",
    "a flower with {shape} {colour} petals",
    "{count} {shape} petals and {leaf} leaves",
    "a {colour} flower with {leaf} leaves",
    "a flower with a {centre} centre and {leaf} leaves",
    "{marking} petals around a {eye} {centre} centre",
    "{count} {marking} petals",
    "a {eye}-eyed {colour} flower",
)

_PHRASES: Mapping[str, tuple[str, ...]] = {
    "petals": (
        "{count} {shape} petals",
        "{marking} {colour} petals",
        "{count} {shape}, {marking} {colour} petals",
    ),
    "eye": ("a {eye} {centre} centre",),
    "leaf": ("a {leaf} leaf",),
}

_FRAMES = (
    "{}.",
    "a photo of {}",
    "a photo of {}.",
    "a picture of {}.",
    "a good photo of {}.",
    "a blurry photo of {}.",
    "{} in a garden.",
    "a close-up photo of {}.",
    "a photo of {}, a type of flower.",
)
"""Frames of common prompts, so that a model learns to ignore them."""


@lru_cache(maxsize=20_000)
def _filled(pattern: str, traits: Traits) -> str:
    sentence = pattern.format(**asdict(traits))
    return re.sub(r"\ba (?=[aeiou])", "an ", sentence)  # "a ivory centre" -> "an ivory centre"


def _caption(pattern: str, traits: Traits) -> Caption:
    return Caption(_filled(pattern, traits), frozenset(re.findall(r"{(\w+)}", pattern)))


def long_caption(traits: Traits, style: int = 0) -> str:
    """A sentence that names every attribute; `style` wraps around `LONG_STYLES`."""
    return _filled(LONG_STYLES[style % len(LONG_STYLES)], traits)


def descriptions(traits: Traits) -> tuple[str, ...]:
    """A class's texts: one sentence of each long style."""
    return tuple(long_caption(traits, style) for style in range(len(LONG_STYLES)))


def short_caption(traits: Traits, rng: np.random.Generator) -> Caption:
    """A sentence that names two or three attributes."""
    return _caption(_SHORT_STYLES[int(rng.integers(len(_SHORT_STYLES)))], traits)


def name_caption(traits: Traits) -> Caption:
    """The field-guide name with its article; "flower" stands in for the genus where none fits."""
    genus = genus_of(traits)
    name = name_of(traits, genus or "flower")
    text = f"an {name}" if name[0] in "aeiou" else f"a {name}"
    if genus:
        return Caption(text)
    # the name does not mention plain petals, so it fits marked flowers too
    states = {"eye", "colour"} | ({"marking"} if traits.marking != "plain" else set())
    return Caption(text, frozenset(states))


def training_caption(traits: Traits, rng: np.random.Generator, long_share: float) -> Caption:
    """A caption in a random style: long ones with the given share, else short ones and names."""
    if rng.random() < long_share:
        caption = Caption(long_caption(traits, int(rng.integers(len(LONG_STYLES)))))
    elif rng.random() < 0.5:
        caption = name_caption(traits)
    else:
        caption = short_caption(traits, rng)
    frame = _FRAMES[int(rng.integers(len(_FRAMES)))] if rng.random() < 0.4 else "{}"
    return replace(caption, text=frame.format(caption.text))


def phrase(traits: Traits, part: str, style: int = -1) -> Caption:
    """A phrase for one part ("petals", "eye" or "leaf"); `style` picks among its phrasings."""
    return _caption(_PHRASES[part][style % len(_PHRASES[part])], traits)


def hard_negatives(traits: Traits, rng: np.random.Generator, n: int, style: int = 0) -> list[str]:
    """`n` different long captions that are each wrong in exactly one attribute.

    Every swapped-in value occurs among the flowers, and in the splits of free combinations all
    values are equally frequent, so that no model can find the true caption by the text alone.
    Raises `ValueError` when there are fewer than `n` such captions (about 36).
    """
    pairs = [(name, value) for name, values in ATTRIBUTES.items() for value in values]
    swaps = [(name, value) for name, value in pairs if value != getattr(traits, name)]
    if n > len(swaps):
        raise ValueError(f"Expected at most {len(swaps)} hard negatives, got {n}.")
    # attributes take turns, so that the many colours do not crowd out the rest
    order = {name: rng.random() for name in ATTRIBUTES}
    turn = dict.fromkeys(ATTRIBUTES, 0)
    ranked: list[tuple[int, float, str, str]] = []
    for name, value in (swaps[index] for index in rng.permutation(len(swaps))):
        ranked.append((turn[name], order[name], name, value))
        turn[name] += 1
    chosen = sorted(ranked)[:n]
    return [long_caption(replace(traits, **{name: value}), style) for *_, name, value in chosen]
