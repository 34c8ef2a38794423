"""Where every part of a posed flower lies, as polygons: ground truth for boxes and for drawing.

Coordinates are fractions of the picture's side, x to the right and y down.
"""

import math
from dataclasses import dataclass

import numpy as np

from clipfg.data.synthflora.flower import Flower
from clipfg.data.synthflora.shapes import (
    CIRCLE,
    LEAF_ASPECT,
    PETAL_ASPECT,
    Points,
    leaf_outline,
    petal_outline,
)

_COUNTS = {"three": 3, "four": 4, "five": 5, "six": 6, "eight": 8, "many": 14}
_EYE_RADIUS = {"domed": 0.25, "tufted": 0.36, "starry": 0.34}  # of the head's radius


_T = np.linspace(0, 1, 14)
_CURVE = np.stack([(1 - _T) ** 2, 2 * _T * (1 - _T), _T**2], axis=1)  # a quadratic Bézier curve


@dataclass(frozen=True, slots=True)
class Frame:
    """An affine map from a part's own frame (x along, y across, both in -1..1) to the picture."""

    matrix: Points  # [2, 2], columns: where the part's x and y axes go
    origin: Points  # [2]

    def __call__(self, points: Points) -> Points:
        """Map points `[m, 2]`."""
        return points @ self.matrix.T + self.origin


@dataclass(frozen=True, slots=True)
class Plant:
    """The frames and outlines of one flower's parts, back to front."""

    petals: tuple[Frame, ...]
    petal: Points  # the outline that all petals share
    eye: Frame
    leaves: tuple[Frame, ...]
    leaf: Points
    stem: Points  # [m, 2] points of its middle line, head first
    stem_width: float

    def boxes(self) -> dict[str, list[Points]]:
        """Boxes `[x0, y0, x1, y1]` of "petals" (the whole head), "eye" and each "leaf"."""
        matrices = np.stack([frame.matrix for frame in self.petals])
        origins = np.stack([frame.origin for frame in self.petals])
        head = (self.petal @ matrices.transpose(0, 2, 1) + origins[:, None]).reshape(-1, 2)
        return {
            "petals": [_bounds(head)],
            "eye": [_bounds(self.eye(CIRCLE))],
            "leaf": [_bounds(frame(self.leaf)) for frame in self.leaves],
        }


def _bounds(points: Points) -> Points:
    return np.concatenate([points.min(axis=0), points.max(axis=0)])


def _turn(angle: float) -> Points:
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, -s], [s, c]])


def _petal_half_width(flower: Flower, number: int) -> float:
    """Half-width over length: the shape's own, or what the neighbours leave it."""
    own = PETAL_ASPECT[flower.traits.shape]
    # petals are widest at some .6 of their length; a dense head overlaps a little more
    room = 0.66 * np.tan(np.pi / number) * (1.12 if number < 8 else 1.3)
    return float(min(own, room) * flower.habit.petal_width)


def _petals(flower: Flower, tilt: Points, rng: np.random.Generator) -> tuple[Frame, ...]:
    pose, number = flower.pose, _COUNTS[flower.traits.count]
    width = _petal_half_width(flower, number)
    base = 0.10 * pose.radius  # petals start just under the eye
    wobble = pose.jitter * rng.normal(size=(3, number)) * [[0.16 / number**0.5], [0.04], [0.06]]
    angles = pose.spin + 2 * np.pi * np.arange(number) / number + wobble[0]
    lengths = (pose.radius - base) * (1 + np.clip(wobble[1], -0.1, 0.1))
    along = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    across = np.stack([-np.sin(angles), np.cos(angles)], axis=1)
    half_widths = lengths * width * (1 + wobble[2])
    axes = np.stack([along * lengths[:, None], across * half_widths[:, None]], axis=2)
    matrices = tilt @ axes
    origins = base * along @ tilt.T + pose.head
    # every other petal lies behind in a crowded head
    order = [*range(0, number, 2), *range(1, number, 2)] if number >= 8 else range(number)
    return tuple(Frame(matrices[k], origins[k]) for k in order)


def _stem(flower: Flower) -> Points:
    """A quadratic curve from the head to the lower edge."""
    start, end = np.array(flower.pose.head), np.array([flower.pose.foot, 1.06])
    bend = np.array([start[0], 0.7])  # straight down first, then towards the foot
    return _CURVE @ np.stack([start, bend, end])


def _leaves(flower: Flower, stem: Points) -> tuple[Frame, ...]:
    pose, habit = flower.pose, flower.habit
    length = pose.leaf_length * habit.leaf_length
    aspect = LEAF_ASPECT[flower.traits.leaf] * habit.leaf_width
    if flower.traits.leaf == "grassy":
        length *= 1.25  # so slim a leaf is found only when it is long
    frames = []
    for place, angle in zip(pose.leaf_heights, pose.leaf_angles, strict=True):
        row = abs(place) * (len(stem) - 1)
        below = stem[int(row)] + (stem[int(row) + 1] - stem[int(row)]) * (row - int(row))
        direction = -angle if place > 0 else np.pi + angle  # y points down
        frames.append(Frame(_turn(direction) * np.array([length, length * aspect]), below))
    return tuple(frames)


def grow(flower: Flower) -> Plant:
    """Place all parts of a flower. The same flower always gives the same plant."""
    pose, habit, traits = flower.pose, flower.habit, flower.traits
    rng = np.random.default_rng([*flower.scenery, 2])
    axis = _turn(pose.tilt_axis)
    tilt = (axis * np.array([1.0, math.cos(pose.tilt)])) @ axis.T
    # the eye stands out of a tilted head, towards the side that faces the camera
    rise = axis @ [0.0, 0.10 * pose.radius * math.sin(pose.tilt)]
    radius = pose.radius * _EYE_RADIUS[traits.centre] * habit.eye_size
    stem = _stem(flower)
    return Plant(
        petals=_petals(flower, tilt, rng),
        petal=petal_outline(traits.shape),
        eye=Frame(tilt * radius, np.array(pose.head) + rise),
        leaves=_leaves(flower, stem),
        leaf=leaf_outline(traits.leaf),
        stem=stem,
        stem_width=0.024 * habit.stem_width,
    )
