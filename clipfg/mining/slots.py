"""Slots: what a caption says of an attribute ("black", of the colour of a bill), and how often.

A slot is a kind of attribute and the noun that it is said of. Its values and their frequencies are
those of a corpus of captions.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from jaxtyping import Float

from clipfg.mining.phrases import Token, phrases_of, tokens_of
from clipfg.mining.words import singular, words

_ITERATIONS = 200


class Slot(NamedTuple):
    """A kind of attribute and the noun, in the singular, that it is said of."""

    kind: str
    noun: str


class Mention(NamedTuple):
    """A value where a caption states it."""

    slot: Slot
    value: str
    start: int
    end: int


def mentions_in(caption: str) -> list[Mention]:
    """The values of attributes in a caption, in order, each with the noun that it is said of."""
    known = words()
    found = []
    for phrase in phrases_of(caption):
        for token in (*phrase.tokens, *phrase.said):
            value = _value(token)
            if value is None:
                continue
            noun = singular(phrase.head)
            if value != token.word:  # "five-petalled", "golden-eyed"
                noun = token.word[len(value) + 1 :]
            end = token.start + len(value)
            found.append(Mention(Slot(known.kinds[value], noun), value, token.start, end))
    return sorted(set(found), key=lambda mention: mention.start)


def _value(token: Token) -> str | None:
    kinds = words().kinds
    if token.word in kinds:
        return token.word
    first, joined, _ = token.word.partition("-")
    return first if joined and first in kinds else None


def values_in(texts: Iterable[str]) -> set[str]:
    """Every value that occurs in some texts, and those that may be said of the same thing."""
    alike = words().alike
    found: set[str] = set()
    for text in texts:
        for token in tokens_of(text):
            for part in (token.word, *token.word.split("-"), singular(token.word)):
                found |= alike.get(part, frozenset())
    return found


@dataclass(frozen=True)
class SlotTable:
    """How often each value stands in each slot of a corpus, and what may take its place."""

    counts: Mapping[Slot, Mapping[str, int]]
    plans: Mapping[Slot, Mapping[str, Mapping[str, float]]]
    """From a slot and a value to others, each with the probability of taking its place in a picture
    of which it is not stated."""

    @classmethod
    def learn(cls, texts: Iterable[Sequence[str]]) -> Self:
        """From all texts that are true of each picture `[n][*]`."""
        counts: dict[Slot, Counter[str]] = {}
        stated: dict[Slot, list[tuple[str, frozenset[str]]]] = {}
        for known in texts:
            values = frozenset(values_in(known))
            for mention in (mention for text in known for mention in mentions_in(text)):
                counts.setdefault(mention.slot, Counter())[mention.value] += 1
                stated.setdefault(mention.slot, []).append((mention.value, values))
        return cls(counts, {slot: _plan(counts[slot], stated[slot]) for slot in counts})

    def swaps(self, mention: Mention, stated: frozenset[str]) -> dict[str, float]:
        """The values that may take a mention's place, and with what probability.

        `stated` are the `values_in` all texts of the picture: none of them is put in. Probabilities
        sum to 1, or less where a swap would tell which value is the true one; see `balanced`.
        """
        plan = self.plans.get(mention.slot, {}).get(mention.value, {})
        shares = {value: share for value, share in plan.items() if value not in stated}
        total = max(sum(shares.values()), 1.0)
        return {value: share / total for value, share in shares.items()}


def _plan(
    counts: Mapping[str, int], stated: Sequence[tuple[str, frozenset[str]]]
) -> dict[str, dict[str, float]]:
    values = sorted(counts)
    if len(values) < 2:
        return {}
    chances = np.zeros((len(values), len(values)))
    place = {value: i for i, value in enumerate(values)}
    for value, known in stated:
        chances[place[value]] += [other not in known for other in values]
    shares = balanced(np.array([counts[value] for value in values], np.float64), chances)
    return {
        value: {other: float(share) for other, share in zip(values, row, strict=True) if share > 0}
        for value, row in zip(values, shares, strict=True)
    }


def balanced(
    counts: Float[np.ndarray, "v"], chances: Float[np.ndarray, "v v"]
) -> Float[np.ndarray, "v v"]:
    """With what probability each value is replaced by each other one, so that none is given away.

    `counts` are the mentions of each value, `chances` in how many of those each other value could
    be put in without being true. As many swaps shall lead from any value to another as back: then,
    of a true caption and its negative, the values say nothing about which is which. Of the
    symmetric plans `m_ij = d_i d_j min(chances_ij, chances_ji)` that with `sum_j m_ij = counts_i`
    is approached (symmetric Sinkhorn scaling), and then lowered to `m_ij <= chances_ij` and
    `sum_j m_ij <= counts_i`. The probabilities are `m_ij / chances_ij`.
    """
    room = np.minimum(chances, chances.T)
    scale = np.ones_like(counts)
    for _ in range(_ITERATIONS):
        reach = room @ scale
        wanted = np.divide(counts, reach, out=np.zeros_like(scale), where=reach > 0)
        scale = np.sqrt(scale * wanted).clip(1e-6, 1e6)
    plan = np.minimum(scale[:, None] * room * scale[None], room)
    over = np.maximum(plan.sum(axis=1) / counts, 1.0)
    plan /= np.maximum(over[:, None], over[None])  # symmetric still
    return np.divide(plan, chances, out=np.zeros_like(plan), where=chances > 0)


def replaced(caption: str, mention: Mention, value: str) -> str:
    """The caption with another value in a mention's place; its article and capital follow."""
    before, after = caption[: mention.start], caption[mention.end :]
    if caption[mention.start].isupper():
        value = value.capitalize()
    article = re.search(r"\b(an?)\s+$", before, re.IGNORECASE)
    if article:
        vowel = value[0].lower() in "aeiou" and not value.lower().startswith("one")
        right = article[1][0] + ("n" if vowel else "")
        before = before[: article.start(1)] + right + before[article.end(1) :]
    return before + value + after
