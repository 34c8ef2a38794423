"""What is measured of an encoder in training: captions, hard negatives, classes."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from scipy.stats import t as student_t
from torch import Tensor
from torch.nn.functional import normalize

from clipfg.functional.ranking import average_precision, first_hit
from clipfg.mining.negatives import Contest
from clipfg.training.batches import Examples

TO_TEXT, TO_IMAGE = "images to captions", "captions to images"
HARD = "captions told from hard negatives"
TRAINED, UNSEEN, ALL = "trained classes", "unseen classes", "classes"
BATCH = 256
DEPTHS = (1, 5, 10)

EncodeImages = Callable[[Tensor], Tensor]
EncodeTexts = Callable[[Sequence[str]], Tensor]
ClassWeights = Callable[[EncodeTexts], Float[Tensor, "c d"]]


@dataclass(frozen=True)
class Outcomes:
    """The values of a measure, from 0 to 1, and which picture each is about."""

    values: NDArray[np.float64]
    clusters: NDArray[np.int64]
    chance: float | None = None

    @property
    def mean(self) -> float:
        """The measure."""
        return float(self.values.mean())


@dataclass(frozen=True)
class Probe:
    """Images with captions, contests of captions and classes, to measure any encoder on.

    `class_weights` makes a weight of each class by an encoder's texts; None without classes.
    `pictures` `[n]` numbers what items belong to, where several are of one picture.
    """

    examples: Examples
    contests: Sequence[Contest] = ()
    class_weights: ClassWeights | None = None
    unseen: Bool[np.ndarray, "c"] | None = None
    pictures: NDArray[np.int64] | None = None

    @cached_property
    def gallery(self) -> tuple[str, ...]:
        """Every caption once."""
        return tuple(dict.fromkeys(t for own in self.examples.captions for t in own))

    @cached_property
    def relevant(self) -> Bool[Tensor, "n t"]:
        """Which captions are known to be true of which images."""
        place = {text: number for number, text in enumerate(self.gallery)}
        table = torch.zeros(len(self.examples), len(place), dtype=torch.bool)
        for row, truths in enumerate(self.examples.truths):
            table[row, [place[text] for text in truths if text in place]] = True
        return table

    def measure(self, images: EncodeImages, texts: EncodeTexts) -> dict[str, Outcomes]:
        """Every measure by name, of an encoder given by what it makes of images and texts."""
        seen = self._images(images)
        found = self._classes(seen, texts) if self.class_weights is not None else {}
        if self.gallery:
            found |= self._retrieval(seen, in_batches(texts, self.gallery))
        if self.contests:
            found[HARD] = self._hard(seen, texts)
        if self.pictures is None:
            return found
        return {
            name: replace(one, clusters=self.pictures[one.clusters]) for name, one in found.items()
        }

    def _images(self, encode: EncodeImages) -> Float[Tensor, "n d"]:
        if "images" in self.examples.constants:
            return self.examples.constants["images"]
        pixels = self.examples.pixels.images
        parts = [encode(pixels[start : start + BATCH]) for start in range(0, len(pixels), BATCH)]
        return normalize(torch.cat(parts), dim=-1)

    def _classes(self, seen: Tensor, texts: EncodeTexts) -> dict[str, Outcomes]:
        assert self.class_weights is not None
        weights = self.class_weights(lambda given: in_batches(texts, given))
        labels = self.examples.labels
        known = (labels >= 0).nonzero()[:, 0]
        hits = (seen[known] @ weights.T).argmax(1).eq(labels[known]).double().numpy()
        groups = {ALL: np.ones(len(hits), dtype=bool)}
        if self.unseen is not None and self.unseen.any():
            apart = self.unseen[labels[known].numpy()]
            groups = {TRAINED: ~apart, UNSEEN: apart}
        return {
            f"zero-shot, {name}": Outcomes(hits[mask], known.numpy()[mask], 1 / len(weights))
            for name, mask in groups.items()
            if mask.any()
        }

    def _retrieval(self, seen: Tensor, captions: Tensor) -> dict[str, Outcomes]:
        scores = seen @ captions.T
        found = {}
        for way, every, true in (
            (TO_TEXT, scores, self.relevant),
            (TO_IMAGE, scores.T, self.relevant.T),
        ):
            asked = true.any(dim=1)
            table, truth = every[asked], true[asked]
            # Of a caption, the image that it was first written for.
            own = asked.nonzero()[:, 0] if way == TO_TEXT else truth.int().argmax(1)
            rank = first_hit(table, truth).numpy()
            for k in DEPTHS:
                found[f"Recall@{k}, {way}"] = Outcomes((rank < k).astype(np.float64), own.numpy())
            found[f"mAP, {way}"] = Outcomes(average_precision(table, truth).numpy(), own.numpy())
        return found

    def _hard(self, seen: Tensor, texts: EncodeTexts) -> Outcomes:
        """Whether the true caption scores above all of its negatives; a tie is no win."""
        every = [text for one in self.contests for text in (one.true, *_texts(one))]
        distinct = list(dict.fromkeys(every))
        place = {text: number for number, text in enumerate(distinct)}
        features = in_batches(texts, distinct)
        wins, chances = [], []
        for one in self.contests:
            rows = features[[place[text] for text in (one.true, *_texts(one))]]
            true, *false = (rows @ seen[one.item]).tolist()
            wins.append(float(true > max(false)))
            chances.append(1 / (1 + len(false)))
        items = np.array([one.item for one in self.contests])
        return Outcomes(np.array(wins), items, float(np.mean(chances)))


def _texts(contest: Contest) -> list[str]:
    return [negative.text for negative in contest.negatives]


def in_batches(encode: EncodeTexts, texts: Sequence[str]) -> Float[Tensor, "t d"]:
    """Unit-norm features of any number of texts, those of like length together."""
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    parts = [
        encode([texts[i] for i in order[start : start + BATCH]])
        for start in range(0, len(order), BATCH)
    ]
    back = torch.empty(len(order), dtype=torch.long)
    back[torch.tensor(order, dtype=torch.long)] = torch.arange(len(order))
    return normalize(torch.cat(parts), dim=-1)[back]


def objective_of(measured: dict[str, Outcomes], objective: str) -> float:
    """What validation compares: Recall@1 both ways, or accuracy on classes."""
    return float(np.mean([one.mean for one in _compared(measured, objective)]))


def gain_of(
    base: dict[str, Outcomes], other: dict[str, Outcomes], objective: str
) -> tuple[float, float]:
    """How much better another encoder is than the base, and half of the 95 % interval of that.

    The interval is over images, whose outcomes in all measures stay together (Student's t of the
    sums that each image adds to the difference); without end for one image.
    """
    pairs = list(zip(_compared(base, objective), _compared(other, objective), strict=True))
    images = np.unique(np.concatenate([one.clusters for one, _ in pairs]))
    added = np.zeros(len(images))
    for before, after in pairs:
        share = (after.values - before.values) / len(before.values) / len(pairs)
        np.add.at(added, np.searchsorted(images, before.clusters), share)
    if len(images) < 2:
        return float(added.sum()), math.inf
    deviation = math.sqrt(len(images)) * added.std(ddof=1)
    return float(added.sum()), float(student_t.ppf(0.975, len(images) - 1) * deviation)


def _compared(measured: dict[str, Outcomes], objective: str) -> list[Outcomes]:
    wanted = "zero-shot," if objective == "classes" else "Recall@1,"
    return [one for name, one in measured.items() if name.startswith(wanted)]


def zero_shot_of(measured: dict[str, Outcomes]) -> float | None:
    """Accuracy on classes, trained and unseen alike; None without classes."""
    values = [one.mean for name, one in measured.items() if name.startswith("zero-shot,")]
    return float(np.mean(values)) if values else None
