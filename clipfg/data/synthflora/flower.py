"""One flower as numbers: its traits, its species' habit, its own pose; and where they come from.

`flower_at(seed, split, index)` is the whole data set, the same in every process. A species'
`Habit`, shared by all its images as in nature, is what a few labelled images teach beyond the
words; `Pose` varies from image to image.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from clipfg.data.synthflora.taxonomy import ATTRIBUTES, Traits, species, unseen_traits
from clipfg.errors import DataError

SPLITS: dict[str, int] = {"train": 16, "val": 4, "test": 10}
"""Images of each species in every split of the manifest."""

PLANTS, VIEWS = 6, 4
"""Plants of each species in the stream "plants", and pictures of each plant."""

# "free" and "pretrain" are endless and unlabelled: free combinations, and those with seen species
_STREAMS = {name: code for code, name in enumerate((*SPLITS, "free", "pretrain", "plants"))}
_EACH = {**SPLITS, "plants": PLANTS * VIEWS}
_NAMED_SHARE = 0.5  # of the pretraining images; the rest are free combinations


@dataclass(frozen=True, slots=True)
class Habit:
    """What all flowers of one combination share and no caption mentions (factors around 1)."""

    petal_width: float
    eye_size: float
    leaf_length: float
    leaf_width: float
    mark_size: float
    stem_width: float
    tint: tuple[float, float, float]  # added to the petals' red, green, blue (0..255)


@dataclass(frozen=True, slots=True)
class Pose:
    """Where one flower stands in its image; lengths are fractions of the image's side."""

    head: tuple[float, float]
    radius: float
    spin: float  # radians, of the petals about the eye
    tilt: float  # radians from facing the camera
    tilt_axis: float  # radians
    foot: float  # x where the stem leaves the image
    leaf_heights: tuple[float, float]  # along the stem, 0 at the head, 1 at the foot
    leaf_angles: tuple[float, float]  # radians above the horizontal
    leaf_length: float
    jitter: float  # irregularity of the petals


@dataclass(frozen=True, slots=True)
class Flower:
    """Everything in an image. `scenery` seeds background, light, clutter and occluders."""

    traits: Traits
    habit: Habit
    pose: Pose
    scenery: tuple[int, ...]


@lru_cache(maxsize=4096)
def habit_of(traits: Traits) -> Habit:
    """The habit of a combination: a fixed function of its traits."""
    rng = np.random.default_rng([1778, *traits.codes()])
    factors = 1.0 + rng.uniform(-1, 1, 6) * (0.16, 0.22, 0.15, 0.15, 0.25, 0.3)
    petal_width, eye, leaf_length, leaf_width, mark, stem = factors.tolist()
    red, green, blue = rng.uniform(-14, 14, 3).tolist()
    return Habit(petal_width, eye, leaf_length, leaf_width, mark, stem, tint=(red, green, blue))


def _pose(rng: np.random.Generator) -> Pose:
    side = float(rng.choice([-1.0, 1.0]))
    x, y = 0.5 + rng.uniform(-0.10, 0.10), 0.39 + rng.uniform(-0.07, 0.07)
    heights = side * rng.uniform(0.42, 0.60), -side * rng.uniform(0.62, 0.85)
    left, right = rng.uniform(-0.35, 0.55, 2).tolist()
    return Pose(
        head=(x, y),
        radius=rng.uniform(0.225, 0.345),
        spin=rng.uniform(0, 2 * np.pi),
        tilt=rng.uniform(0.0, 1.0),
        tilt_axis=rng.uniform(0, 2 * np.pi),
        foot=x + rng.uniform(-0.22, 0.22),
        leaf_heights=heights,
        leaf_angles=(left, right),
        leaf_length=rng.uniform(0.27, 0.38),
        jitter=rng.uniform(0.3, 1.0),
    )


def _traits_at(split: str, index: int, rng: np.random.Generator) -> Traits:
    if split in _EACH:
        return species()[index // _EACH[split]].traits
    if split == "pretrain" and rng.random() < _NAMED_SHARE:
        seen = [s.traits for s in species() if s.seen]
        return seen[int(rng.integers(len(seen)))]
    while True:  # free: uniform over all combinations but those of the unseen species
        traits = Traits(*(str(rng.choice(values)) for values in ATTRIBUTES.values()))
        if traits not in unseen_traits():
            return traits


def flower_at(seed: int, split: str, index: int) -> Flower:
    """The flower at this place; raises `DataError` where there is none."""
    if split not in _STREAMS:
        raise DataError(f"Expected a split among {', '.join(_STREAMS)}, got {split!r}.")
    limit = _EACH[split] * len(species()) if split in _EACH else None
    if index < 0 or seed < 0 or (limit is not None and index >= limit):
        raise DataError(
            f"Expected a seed from 0 and an index from 0{f' to {limit - 1}' if limit else ''}"
            f" in split {split!r}, got seed {seed}, index {index}."
        )
    place = (seed, _STREAMS[split], index)
    rng = np.random.default_rng(place)
    traits = _traits_at(split, index, rng)
    if split == "plants":
        return _view(traits, (seed, _STREAMS[split], index // VIEWS, 2), rng)
    return Flower(traits, habit_of(traits), _pose(rng), (*place, 1))


def _view(traits: Traits, plant: tuple[int, ...], rng: np.random.Generator) -> Flower:
    """One of several pictures of a plant: it and its place stay, the camera moves a little."""
    own = np.random.default_rng(plant)
    habit, pose = _individual(habit_of(traits), own), _pose(own)
    (x, y), shift = pose.head, rng.uniform(-0.03, 0.03, 2)
    seen = replace(
        pose,
        head=(x + float(shift[0]), y + float(shift[1])),
        radius=pose.radius * rng.uniform(0.88, 1.12),
        spin=pose.spin + rng.uniform(-0.15, 0.15),
        tilt=float(np.clip(pose.tilt + rng.uniform(-0.2, 0.2), 0.0, 1.0)),
        foot=pose.foot + float(shift[0]),
    )
    return Flower(traits, habit, seen, plant)


def _individual(habit: Habit, own: np.random.Generator) -> Habit:
    """A plant's own habit: it differs from its species' about half as much as species do."""
    factors = 1.0 + own.uniform(-1, 1, 6) * (0.08, 0.11, 0.08, 0.08, 0.12, 0.15)
    red, green, blue = np.add(habit.tint, own.uniform(-7, 7, 3)).tolist()
    widths = (habit.petal_width, habit.eye_size, habit.leaf_length)
    others = (habit.leaf_width, habit.mark_size, habit.stem_width)
    width, eye, leaf, leaf_width, mark, stem = np.multiply((*widths, *others), factors).tolist()
    return Habit(width, eye, leaf, leaf_width, mark, stem, tint=(red, green, blue))
