"""What a training loop takes its batches from: images, texts, regions and labels, by step.

Every choice of a batch (items, captions, windows, negatives) follows from the seed and the number
of the step, so that a run can begin again at any step.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from numpy.typing import NDArray
from torch import Tensor

from clipfg.mining.negatives import mine_negatives
from clipfg.training.augmenting import Augmentation
from clipfg.training.pixels import Pixels
from clipfg.training.recipes.base import Recipe

FALSE_PHRASES = 10
"""False phrases of a region, at most (FG-CLIP)."""
SENTENCES = 4
"""Sentences of an item, at most (CM-CGNS)."""
_END_OF_SENTENCE = re.compile(r"(?<=[.!?])\s+")


@dataclass(frozen=True)
class Examples:
    """n items to learn from. Texts may be empty where no loss needs them."""

    pixels: Pixels
    labels: Int[Tensor, " n"]
    """Class indices, -1 where unknown."""
    captions: Sequence[tuple[str, ...]] = ()
    """Texts that are true of each item; one is drawn each time."""
    class_texts: Sequence[tuple[str, ...]] = ()
    """By class, the texts that are true of all of its items."""
    phrases: Sequence[tuple[str, ...]] = ()
    """Of the item's regions, in the order of `pixels.boxes`; empty for a region without."""
    negatives: Sequence[Mapping[str, tuple[str, ...]]] = ()
    """Of each item, texts that are false of it and nearly one of its captions, by that caption."""
    vocabulary: Sequence[str] = ()
    """Phrases that regions are compared with, the same for all items."""
    constants: Mapping[str, Tensor] = field(default_factory=dict)
    """Tensors with a row an item that never change: features of frozen towers, targets."""

    def __len__(self) -> int:
        return len(self.pixels)

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """Every text that a batch may have of the items as it stands here, once."""
        near = (texts for own in self.negatives for texts in own.values())
        every = (*self.captions, *self.class_texts, *self.phrases, *near)
        return tuple(dict.fromkeys(text for own in every for text in own))

    @cached_property
    def truths(self) -> list[frozenset[str]]:
        """All texts known to be true of each item."""
        own = self.captions or [()] * len(self)
        classes = [
            self.class_texts[label] if self.class_texts and label >= 0 else ()
            for label in self.labels.tolist()
        ]
        return [frozenset((*a, *b)) for a, b in zip(own, classes, strict=True)]

    @cached_property
    def false_phrases(self) -> list[dict[str, tuple[str, ...]]]:
        """Of each item, texts that are false of it and nearly a phrase of its regions, by that.

        Raises `DataError` where no phrase has any.
        """
        known = [sorted(truths) for truths in self.truths]
        found: list[dict[str, tuple[str, ...]]] = [{} for _ in range(len(self))]
        for one in mine_negatives(
            self.phrases, known=known, labels=self.labels.numpy(), most=FALSE_PHRASES
        ):
            found[one.item][one.true] = tuple(negative.text for negative in one.negatives)
        return found


@dataclass(frozen=True)
class Batch:
    """b items of `examples`, with what was drawn for them.

    There are at most r regions and k negatives an item; `valid` says which regions exist, and an
    empty text stands for one that does not.
    """

    examples: Examples
    rows: NDArray[np.int64]
    shown: tuple[Augmentation, ...]
    """How each view of the images is changed; one unless a loss needs two."""
    captions: tuple[str, ...] = ()
    boxes: Float[Tensor, "b r 4"] | None = None
    valid: Bool[Tensor, "b r"] | None = None
    phrases: tuple[tuple[str, ...], ...] = ()
    negatives: tuple[tuple[str, ...], ...] = ()
    titles: tuple[str, ...] = ()
    """A text of each item's class, empty where that is unknown."""
    ready: tuple[slice, tuple[UInt8[Tensor, "_p 3 h w"], ...]] | None = None
    """A part of the batch, and the views of its images, where these were made ahead of time."""

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, part: slice) -> "Batch":
        rows = self.rows[part]
        return replace(
            self,
            rows=rows,
            shown=tuple(view[part] for view in self.shown),
            captions=self.captions[part],
            boxes=None if self.boxes is None else self.boxes[part],
            valid=None if self.valid is None else self.valid[part],
            phrases=self.phrases[part],
            negatives=self.negatives[part],
            titles=self.titles[part],
            ready=(_all(rows), self.ready[1]) if self.ready and self.ready[0] == part else None,
        )

    def loaded(self, part: slice) -> "Batch":
        """The batch with the views of a part ready."""
        own = self[part]
        views = tuple(own.images(view) for view in range(len(self.shown)))
        return replace(self, ready=(part, views))

    def images(self, view: int = 0) -> UInt8[Tensor, "b 3 h w"]:
        """The pixels of one view."""
        if self.ready is not None and self.ready[0] == _all(self.rows):
            return self.ready[1][view]
        return self.shown[view].images(self.examples.pixels.images[torch.from_numpy(self.rows)])

    @property
    def labels(self) -> Int[Tensor, " b"]:
        """Class indices."""
        return self.examples.labels[torch.from_numpy(self.rows)]

    def constants(self) -> dict[str, Tensor]:
        """The items' rows of tensors that never change."""
        rows = torch.from_numpy(self.rows)
        return {name: value[rows] for name, value in self.examples.constants.items()}

    @property
    def also_true(self) -> Bool[Tensor, "b b"]:
        """Whether the caption of item j is true of item i, i apart from j."""
        return self.true_of(self.captions)

    def true_of(self, texts: Sequence[str]) -> Bool[Tensor, "b b"]:
        """Whether the text of item j is known to be true of item i, i apart from j."""
        columns: dict[str, list[int]] = {}
        for column, text in enumerate(texts):
            columns.setdefault(text, []).append(column)
        table = torch.zeros(len(self), len(texts), dtype=torch.bool)
        for row, item in enumerate(self.rows.tolist()):
            for text in self.examples.truths[item] & columns.keys():
                table[row, columns[text]] = True
        return table.fill_diagonal_(False)

    @property
    def long_captions(self) -> tuple[str, ...]:
        """The longest caption of each item."""
        return tuple(max(self.examples.captions[row], key=len) for row in self.rows.tolist())

    @cached_property
    def sentences(self) -> tuple[tuple[str, ...], ...]:
        """Sentences of each item's captions, those of the drawn one first."""
        found = []
        for row, drawn in zip(self.rows.tolist(), self.captions, strict=True):
            texts = (drawn, *self.examples.captions[row])
            pieces = dict.fromkeys(one for text in texts for one in _END_OF_SENTENCE.split(text))
            found.append(_padded(pieces, SENTENCES))
        return tuple(found)

    @cached_property
    def false_phrases(self) -> tuple[tuple[str, ...], ...]:
        """Of each item, `FALSE_PHRASES` for each of its r regions, end to end."""
        found = []
        for row, phrases in zip(self.rows.tolist(), self.phrases, strict=True):
            own = self.examples.false_phrases[row]
            lists = (_padded(own.get(phrase, ()), FALSE_PHRASES) for phrase in phrases)
            found.append(tuple(text for texts in lists for text in texts))
        return tuple(found)

    @property
    def phrase_ids(self) -> Int[Tensor, "b r"]:
        """Equal numbers for equal phrases; -1 for none."""
        return numbered(self.phrases)


def numbered(texts: Sequence[Sequence[str]]) -> Int[Tensor, "b t"]:
    """Equal numbers from 0 for equal texts; -1 for an empty one."""
    known: dict[str, int] = {"": -1}
    return torch.tensor([[known.setdefault(text, len(known) - 1) for text in own] for own in texts])


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How batches are drawn; `regions` and `negatives` are the most of each an item, 0 for none."""

    batch_size: int
    seed: int
    views: int = 1
    mirror: bool = False
    crop: float = 1.0
    regions: int = 0
    negatives: int = 0

    @classmethod
    def of(cls, recipe: Recipe, seed: int, needs: frozenset[str]) -> Self:
        """What a recipe draws, of it what its losses need."""
        return cls(
            batch_size=recipe.batch_size,
            seed=seed,
            views=recipe.views,
            mirror=recipe.mirror,
            crop=recipe.crop,
            regions=recipe.regions if needs & {"regions", "phrases"} else 0,
            negatives=recipe.negatives if "negatives" in needs else 0,
        )


class Batches:
    """Batches by step: the examples in a new order each epoch; an incomplete batch is not used."""

    def __init__(self, examples: Examples, sampling: Sampling) -> None:
        self.examples = examples
        self.sampling = sampling
        self.size = min(sampling.batch_size, len(examples))
        self.per_epoch = len(examples) // self.size

    def __call__(self, step: int) -> Batch:
        """The batch of a step."""
        how, (epoch, place) = self.sampling, divmod(step, self.per_epoch)
        order = np.random.default_rng([how.seed, 0, epoch]).permutation(len(self.examples))
        rows = order[place * self.size : (place + 1) * self.size]
        rng = np.random.default_rng([how.seed, 1, step])
        shown = tuple(
            Augmentation.draw(len(rows), rng, mirror=how.mirror, crop=how.crop)
            for _ in range(how.views)
        )
        captions = self.examples.captions
        drawn = tuple(_one(captions[row], rng) for row in rows) if captions else ()
        boxes, valid, phrases = self._regions(rows, shown[0], rng)
        negatives = self._negatives(rows, drawn, rng) if how.negatives else ()
        titles = self._titles(rows, rng)
        return Batch(self.examples, rows, shown, drawn, boxes, valid, phrases, negatives, titles)

    def _titles(self, rows: NDArray[np.int64], rng: np.random.Generator) -> tuple[str, ...]:
        texts = self.examples.class_texts
        if not texts:
            return ()
        labels = self.examples.labels[torch.from_numpy(rows)].tolist()
        return tuple(_one(texts[label], rng) if label >= 0 else "" for label in labels)

    def _negatives(
        self, rows: NDArray[np.int64], drawn: Sequence[str], rng: np.random.Generator
    ) -> tuple[tuple[str, ...], ...]:
        found = []
        for row, caption in zip(rows.tolist(), drawn, strict=True):
            texts = self.examples.negatives[row].get(caption, ())
            chosen = [texts[i] for i in rng.permutation(len(texts))[: self.sampling.negatives]]
            found.append(_padded(chosen, self.sampling.negatives))
        return tuple(found)

    def _regions(
        self, rows: NDArray[np.int64], shown: Augmentation, rng: np.random.Generator
    ) -> tuple[Tensor | None, Tensor | None, tuple[tuple[str, ...], ...]]:
        """Regions drawn for each item, as they lie in the first view."""
        most, pixels = self.sampling.regions, self.examples.pixels
        if not most:
            return None, None, ()
        boxes, texts = torch.zeros(len(rows), most, 4), []
        for place, row in enumerate(rows.tolist()):
            own = pixels.boxes[row]
            chosen = rng.permutation(len(own))[:most]
            boxes[place, : len(chosen)] = own[chosen]
            known = self.examples.phrases[row] if self.examples.phrases else ("",) * len(own)
            texts.append(_padded((known[i] for i in chosen), most))
        boxes = shown.boxes(boxes, *pixels.images.shape[-2:])
        valid = ((boxes[..., 2:] - boxes[..., :2]) > 1).all(-1)
        return boxes, valid, tuple(texts)


def _all(rows: NDArray[np.int64]) -> slice:
    return slice(0, len(rows))


def _one(texts: Sequence[str], rng: np.random.Generator) -> str:
    return texts[int(rng.integers(len(texts)))]


def _padded(texts: Iterable[str], count: int) -> tuple[str, ...]:
    """The first `count` texts, and empty ones for those that lack."""
    return (*texts, *[""] * count)[:count]
