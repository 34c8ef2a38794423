"""Hard negatives: texts that are nearly those of a picture, and false of it.

A swap puts another value in the place of one ("a red bill" for "a black bill"), an exchange lets
two parts change theirs, a look-alike is a caption of a class that is confused with the picture's.
They are drawn so that single values give nothing away (`slots.balanced`; `text_only` measures what
is left), and checked against all that is known of the picture.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, Num

from clipfg.errors import DataError
from clipfg.mining.slots import Mention, Slot, SlotTable, mentions_in, replaced, values_in
from clipfg.mining.words import normalised, words
from clipfg.types import UNLABELLED

LOOK_ALIKES = 3
"""Classes most confused with each."""


@dataclass(frozen=True)
class Negative:
    """A text that is false of a picture."""

    text: str
    kind: str
    """`"colour"` and other kinds of attribute, `"exchange"` or `"look-alike"`."""
    change: str
    """What was done: `"black -> red (bill)"`."""


@dataclass(frozen=True)
class Contest:
    """A true caption and its negatives; a model should score the true one above each of them."""

    item: int
    true: str
    negatives: tuple[Negative, ...]


def mine_negatives(
    captions: Sequence[Sequence[str]],
    *,
    known: Sequence[Sequence[str]] = (),
    labels: Int[np.ndarray, "n"] | None = None,
    look_alikes: Sequence[Sequence[int]] = (),
    table: SlotTable | None = None,
    most: int = 10,
    seed: int = 0,
) -> list[Contest]:
    """The contests of every caption `[n][*]` that has a negative, in order; deterministic by seed.

    Parameters
    ----------
    captions
        Of each picture.
    known
        Further texts that are true of each picture `[n][*]`: phrases of regions, descriptions.
    labels, look_alikes
        The class of each picture, and the classes confused with each class (`most_confused`): a
        caption of one of their pictures is a negative where it contradicts what is known.
    table
        The slots of the corpus, by default those of `captions` and `known`. For a small split,
        learn it from the whole corpus.
    most
        Negatives of a caption. There is one of each mention of a value, of each pair of mentions,
        and of each look-alike class.
    seed
        Of what is drawn.

    Raises `DataError` where no caption has any: none states an attribute with an alternative.
    """
    known = known or [()] * len(captions)
    true = [[*texts, *more] for texts, more in zip(captions, known, strict=True)]
    table = table or SlotTable.learn(true)
    of_class = _by_class(captions, labels)
    found = []
    for item, texts in enumerate(captions):
        truth = _Truth.of(true[item])
        label = UNLABELLED if labels is None else int(labels[item])
        near = look_alikes[label] if 0 <= label < len(look_alikes) else ()
        pools = [pool for other in near if (pool := of_class.get(int(other)))]
        for place, caption in enumerate(texts):
            rng = np.random.default_rng([seed, item, place])
            made = [
                *_swaps(caption, truth, table, rng),
                *_exchanges(caption, truth, table, rng),
                *_look_alikes(pools, truth, rng),
            ]
            if chosen := _distinct(made, rng)[:most]:
                found.append(Contest(item, caption, tuple(chosen)))
    if not found:
        raise DataError(
            f"Expected captions that state colours, shapes or other attributes with alternatives,"
            f" got none among {len(captions):,} pictures; give captions, descriptions of the"
            " classes (--prompts), or take a recipe without hard negatives, as contrastive."
        )
    return found


def _by_class(
    captions: Sequence[Sequence[str]], labels: Int[np.ndarray, "n"] | None
) -> dict[int, list[str]]:
    """The captions of each class's pictures."""
    found: dict[int, list[str]] = {}
    for label, texts in zip([] if labels is None else labels.tolist(), captions, strict=False):
        if label != UNLABELLED:
            found.setdefault(label, []).extend(texts)
    return found


def most_confused(table: Num[np.ndarray, "c c"], most: int = LOOK_ALIKES) -> list[list[int]]:
    """The classes most confused with each, the most confused first.

    `table` counts how often pictures of a row's class were taken for a column's, or holds cosines
    of the classes' texts. Both directions count. Classes never confused are not listed.
    """
    both = np.asarray(table, np.float64) + np.asarray(table, np.float64).T
    np.fill_diagonal(both, -np.inf)
    order = np.argsort(-both, axis=1, kind="stable")[:, :most]
    return [[int(j) for j in row if both[i, j] > 0] for i, row in enumerate(order)]


@dataclass(frozen=True)
class _Truth:
    """What is known of a picture."""

    texts: frozenset[str]
    """Normalised."""
    values: frozenset[str]
    """Stated of anything in it, and those that may be said of the same."""
    said: dict[Slot, set[str]]

    @classmethod
    def of(cls, texts: Sequence[str]) -> "_Truth":
        said: dict[Slot, set[str]] = {}
        for text in texts:
            for mention in mentions_in(text):
                said.setdefault(mention.slot, set()).add(mention.value)
        return cls(frozenset(map(normalised, texts)), frozenset(values_in(texts)), said)

    def states(self, slot: Slot, value: str) -> bool:
        alike = words().alike[value]
        return any(other in alike for other in self.said.get(slot, ()))

    def contradicts(self, text: str) -> bool:
        """Whether a text states a value of something of which only others are stated."""
        return any(
            mention.slot in self.said and not self.states(mention.slot, mention.value)
            for mention in mentions_in(text)
        )


def _swaps(
    caption: str, truth: _Truth, table: SlotTable, rng: np.random.Generator
) -> Iterator[Negative]:
    """One value for another. A value that is stated of anything in the picture is never put in."""
    for mention in mentions_in(caption):
        shares = table.swaps(mention, truth.values)
        place = int(np.searchsorted(np.cumsum([*shares.values()]), rng.random(), side="right"))
        if place == len(shares):
            continue
        value = [*shares][place]
        text = replaced(caption, mention, value)
        if normalised(text) not in truth.texts:
            change = f"{mention.value} -> {value} ({mention.slot.noun})"
            yield Negative(text, mention.slot.kind, change)


def _exchanges(
    caption: str, truth: _Truth, table: SlotTable, rng: np.random.Generator
) -> Iterator[Negative]:
    """Two values of a kind change places, as often in one direction as in the other.

    It is done with probability `min(1, f(a', b') / f(a, b))`, where f is the product of the values'
    frequencies in their slots (the rule of Metropolis), so that rarity tells nothing.
    """
    mentions = mentions_in(caption)
    for first, second in _pairs(mentions):
        one, other = table.counts.get(first.slot, {}), table.counts.get(second.slot, {})
        after = one.get(second.value, 0) * other.get(first.value, 0)
        before = one.get(first.value, 1) * other.get(second.value, 1)
        if rng.random() * before >= after:
            continue
        if truth.states(first.slot, second.value) or truth.states(second.slot, first.value):
            continue
        text = replaced(replaced(caption, second, first.value), first, second.value)
        if normalised(text) not in truth.texts:
            change = f"{first.value} {first.slot.noun} <-> {second.value} {second.slot.noun}"
            yield Negative(text, "exchange", change)


def _pairs(mentions: Sequence[Mention]) -> Iterator[tuple[Mention, Mention]]:
    alike = words().alike
    single = [m for m in mentions if sum(other.slot == m.slot for other in mentions) == 1]
    for place, first in enumerate(single):
        for second in single[place + 1 :]:
            same_kind = first.slot.kind == second.slot.kind
            if same_kind and second.value not in alike[first.value]:
                yield first, second


def _look_alikes(
    pools: Sequence[Sequence[str]], truth: _Truth, rng: np.random.Generator
) -> Iterator[Negative]:
    """A caption of each confused class that contradicts what is known of the picture."""
    for pool in pools:
        text = pool[int(rng.integers(len(pool)))]
        if normalised(text) not in truth.texts and truth.contradicts(text):
            yield Negative(text, "look-alike", "of a confused class")


def _distinct(made: Sequence[Negative], rng: np.random.Generator) -> list[Negative]:
    """Each text once, in a random order, so that no kind crowds out the others."""
    once = list({normalised(negative.text): negative for negative in made}.values())
    return [once[place] for place in rng.permutation(len(once))]
