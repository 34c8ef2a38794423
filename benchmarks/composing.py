"""Composed and negated queries where the truth is known: drawn flowers, and species of birds.

Part of `python -m benchmarks.retrieval`. Each method gets the same cosines; cells are mean average
precision and precision at 10, in percent. The flowers are free combinations of attributes, of which
`builtin:florette` sees colour and eye well and the others barely, so both are shown.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clipfg.data import synthflora
from clipfg.data.synthflora.taxonomy import ATTRIBUTES
from clipfg.embedding.cache import EmbeddingCache
from clipfg.embedding.pipeline import collect
from clipfg.embedding.texts import embed_texts
from clipfg.encoders import Encoder, load_encoder
from clipfg.functional.composing import AVERSION, compose
from clipfg.functional.similarity import unit_norm

SEED = 1  # free images; the numbers in `composing` were chosen on seed 0
IMAGES = 3000
SEEN = ("colour", "eye")
PHRASES = {
    "colour": "a {} flower",
    "marking": "a flower with {} petals",
    "eye": "a flower with a {} centre",
    "leaf": "a flower with {} leaves",
    "count": "a flower with {} petals",
    "shape": "a flower with {} petals",
}
Truth = NDArray[np.bool_]
Scores = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""Texts, photos and negated phrases in, a score for each key out."""


@dataclass(frozen=True)
class Case:
    """A query, and for which keys it is right; `without` is a key that is left out."""

    texts: Tensor
    photos: Tensor
    negated: Tensor
    right: Truth
    without: int | None = None


def average_precision(scores: NDArray[np.float32], right: Truth) -> float:
    ranks = np.flatnonzero(right[np.argsort(-scores, kind="stable")])
    return float(np.mean(np.arange(1, len(ranks) + 1) / (ranks + 1)))


def precision(scores: NDArray[np.float32], right: Truth, k: int = 10) -> float:
    return float(right[np.argsort(-scores, kind="stable")[:k]].mean())


def standard(scores: Tensor) -> Tensor:
    return (scores - scores.mean()) / scores.std()


def plain_sum(factor: float) -> Scores:
    return lambda t, p, n, keys: keys @ (t.sum(0) + p.sum(0) - factor * n.sum(0))


def standard_scores(factor: float) -> Scores:
    """Every text and photo on its own scale."""

    def score(t: Tensor, p: Tensor, n: Tensor, keys: Tensor) -> Tensor:
        total = torch.zeros(len(keys))
        for row in (*t, *p):
            total += standard(keys @ row)
        for row in n:
            total -= factor * standard(keys @ row)
        return total

    return score


def projected(t: Tensor, p: Tensor, n: Tensor, keys: Tensor) -> Tensor:
    """What the query has of the negated phrase's direction is taken out of it."""
    query = t.sum(0) + p.sum(0)
    for row in n:
        query = query - (query @ row) * row
    return keys @ query


def hinge(t: Tensor, p: Tensor, n: Tensor, keys: Tensor) -> Tensor:
    """Only what is one standard deviation like the negated phrase is marked down."""
    total = standard(keys @ (t.sum(0) + p.sum(0)))
    for row in n:
        total = total - (standard(keys @ row) - 1).clamp_min(0)
    return total


def dropped(t: Tensor, p: Tensor, n: Tensor, keys: Tensor) -> Tensor:
    """Two standard deviations like the negated phrase, and it goes to the end."""
    total = standard(keys @ (t.sum(0) + p.sum(0)))
    for row in n:
        total = total - 100 * (standard(keys @ row) > 2).float()
    return total


def composed(aversion: float) -> Scores:
    return lambda t, p, n, keys: keys @ compose(t, p, n, keys, aversion=aversion)


METHODS: dict[str, Scores] = {
    "negation ignored": plain_sum(0),
    "plain sum and difference": plain_sum(1),
    "plain, negated by half": plain_sum(0.5),
    "projection": projected,
    "every part standardised": standard_scores(AVERSION),
    "hinge": hinge,
    "dropped": dropped,
    "clipfg, aversion 0.25": composed(0.25),
    f"clipfg, aversion {AVERSION}": composed(AVERSION),
    "clipfg, aversion 1": composed(1.0),
}


WITHOUT_NEGATION: dict[str, Scores] = {
    "plain sum": plain_sum(0),
    "every part standardised": standard_scores(0),
    "clipfg": composed(AVERSION),
}


def table(title: str, cases: Sequence[Case], keys: Tensor) -> None:
    negated = any(len(case.negated) for case in cases)
    print(f"\n{title}: {len(cases):,} queries\n")
    for name, method in (METHODS if negated else WITHOUT_NEGATION).items():
        figures = np.array([_figures(method, case, keys) for case in cases]).mean(axis=0)
        print(f"{name:28} mAP {100 * figures[0]:5.1f}   P@10 {100 * figures[1]:5.1f}", flush=True)


def _figures(method: Scores, case: Case, keys: Tensor) -> tuple[float, float]:
    scores = method(case.texts, case.photos, case.negated, keys).numpy()
    keep = np.arange(len(keys)) != (-1 if case.without is None else case.without)
    return (
        average_precision(scores[keep], case.right[keep]),
        precision(scores[keep], case.right[keep]),
    )


def flowers(cache: EmbeddingCache) -> None:
    """Two texts, a text and not another, and a photo that a text changes."""
    encoder = load_encoder("builtin:florette", precision="fp32")
    manifest = synthflora.load_free(IMAGES, seed=SEED)
    keys = torch.from_numpy(collect(manifest, encoder, cache).pooled)
    traits = [synthflora.locate(uri).traits for uri in manifest.uris]
    values = {a: np.array([getattr(t, a) for t in traits]) for a in PHRASES}
    words = [(a, value) for a in PHRASES for value in ATTRIBUTES[a]]
    phrases = _phrases(encoder, cache, words)
    none = keys[:0]
    for names, what in ((tuple(PHRASES), "all attributes"), (SEEN, "colour and eye")):
        both, less = [], []
        for a, b in itertools.permutations(names, 2):
            for v, w in itertools.product(ATTRIBUTES[a], ATTRIBUTES[b]):
                is_v, is_w = values[a] == v, values[b] == w
                if a < b and (is_v & is_w).any():
                    two = torch.stack([phrases[a, v], phrases[b, w]])
                    both.append(Case(two, none, none, is_v & is_w))
                less.append(Case(phrases[a, v][None], none, phrases[b, w][None], is_v & ~is_w))
        table(f"flowers, two texts, {what}", both, keys)
        table(f"flowers, a text and not another, {what}", less[:: 3 if len(names) > 2 else 1], keys)
    edits(encoder, cache, phrases)


def edits(encoder: Encoder, cache: EmbeddingCache, phrases: dict[tuple[str, str], Tensor]) -> None:
    """A photo of a species and one attribute of another that differs in that alone."""
    train = synthflora.load().select("train")
    keys = torch.from_numpy(collect(train, encoder, cache).pooled)
    each, table_of = len(train) // len(synthflora.species()), synthflora.species()
    plain, negated = [], []
    for i, one in enumerate(table_of):
        for j, other in enumerate(table_of):
            changed = one.traits.differences(other.traits)
            if one.genus != other.genus or len(changed) != 1:
                continue
            photo, right = each * i, np.repeat(np.arange(len(table_of)) == j, each)
            new = phrases[changed[0], getattr(other.traits, changed[0])][None]
            old = phrases[changed[0], getattr(one.traits, changed[0])][None]
            plain.append(Case(new, keys[photo][None], keys[:0], right, photo))
            negated.append(Case(new, keys[photo][None], old, right, photo))
    table("flowers, a photo and what is to be different", plain, keys)
    table("flowers, the same, and not what it was", negated, keys)


def birds(
    keys: Tensor,
    labels: NDArray[np.int64],
    names: Sequence[str],
    encoder: Encoder,
    cache: EmbeddingCache,
) -> None:
    """The last word of names ("warbler") without one of its species; and a photo with its name."""
    last = np.array([name.split()[-1].lower() for name in names])
    groups = [word for word, count in Counter(last.tolist()).items() if count >= 3]
    species, words = (
        torch.from_numpy(embed_texts([f"a photo of a {name}." for name in own], encoder, cache))
        for own in (names, groups)
    )
    none = keys[:0]
    less = [
        Case(word[None], none, species[c][None], np.isin(labels, group) & (labels != c))
        for word, group in zip(words, [np.flatnonzero(last == w) for w in groups], strict=True)
        for c in group
    ]
    table("birds, a kind without one of its species", less, keys)
    photos = [np.flatnonzero(labels == c)[0] for c in range(len(names))]
    fused = [
        Case(species[c][None], keys[i][None], none, labels == c, int(i))
        for c, i in enumerate(photos)
    ]
    table("birds, a photo and its species' name", fused, keys)


def _phrases(
    encoder: Encoder, cache: EmbeddingCache, words: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], Tensor]:
    rows = embed_texts([PHRASES[a].format(value) for a, value in words], encoder, cache)
    return dict(zip(words, unit_norm(torch.from_numpy(rows)), strict=True))
