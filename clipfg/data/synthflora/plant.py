"""Where every part of a posed flower is, as polygons: ground truth for boxes and for drawing.

Coordinates are fractions of the image's side, x to the right and y down.
"""

import math
from dataclasses import dataclass

import numpy as np

from clipfg.data.synthflora import shapes
from clipfg.data.synthflora.flower import Flower
from clipfg.data.synthflora.shapes import CIRCLE, Points

_COUNTS = {"three": 3, "four": 4, "five": 5, "six": 6, "eight": 8, "many": 14}
_EYE_RADIUS = {"domed": 0.25, "tufted": 0.36, "starry": 0.34}  # of the head's radius

_T = np.linspace(0, 1, 14)
_CURVE = np.stack([(1 - _T) ** 2, 2 * _T * (1 - _T), _T**2], axis=1)  # a quadratic Bézier curve


@dataclass(frozen=True, slots=True)
class Frame:
    """An affine map from a part's own frame (x along, y across, both in -1..1) to the image."""

    matrix: Points  # [2, 2], columns: where the part's x and y axes go
    origin: Points  # [2]

    def __call__(self, points: Points) -> Points:
        """Map points `[m, 2]`."""
        return points @ self.matrix.T + self.origin


@dataclass(frozen=True, slots=True)
class Plant:
    """The frames and outlines of one flower's parts, back to front."""

    petal_matrices: Points  # [k, 2, 2] and
    petal_origins: Points  # [k, 2]: the petals' frames as arrays
    petal: Points  # the outline that all petals share
    eye: Frame
    leaves: tuple[Frame, ...]
    leaf: Points
    stem: Points  # [m, 2] points of its middle line, head first
    stem_width: float

    @property
    def petals(self) -> tuple[Frame, ...]:
        """One frame per petal."""
        both = zip(self.petal_matrices, self.petal_origins, strict=True)
        return tuple(Frame(matrix, origin) for matrix, origin in both)

    def boxes(self) -> dict[str, list[Points]]:
        """Boxes `[x0, y0, x1, y1]` of "petals" (the whole head), "eye" and each "leaf"."""
        turned = self.petal @ self.petal_matrices.transpose(0, 2, 1)
        head = (turned + self.petal_origins[:, None]).reshape(-1, 2)
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
    """Half-width over length: the shape's own, or less where the neighbours are close."""
    own = shapes.PETAL_ASPECT[flower.traits.shape]
    # petals are widest at some .6 of their length; a dense head overlaps a little more
    room = 0.66 * math.tan(math.pi / number) * (1.12 if number < 8 else 1.3)
    return float(min(own, room) * flower.habit.petal_width)


def _petals(flower: Flower, tilt: Points, rng: np.random.Generator) -> tuple[Points, Points]:
    """Matrices `[k, 2, 2]` and origins `[k, 2]` of the petals' frames."""
    pose, number = flower.pose, _COUNTS[flower.traits.count]
    width = _petal_half_width(flower, number)
    base = 0.10 * pose.radius  # petals start just under the eye
    wobble = pose.jitter * rng.normal(size=(3, number)) * [[0.16 / number**0.5], [0.04], [0.06]]
    angles = pose.spin + 2 * np.pi * np.arange(number) / number + wobble[0]
    lengths = (pose.radius - base) * (1 + np.maximum(np.minimum(wobble[1], 0.1), -0.1))
    half_widths = lengths * width * (1 + wobble[2])
    along = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    across = along[:, ::-1] * (-1.0, 1.0)
    axes = np.stack([along * lengths[:, None], across * half_widths[:, None]], axis=2)
    matrices, origins = tilt @ axes, base * along @ tilt.T + pose.head
    if number >= 8:  # in a crowded head, every other petal is behind its neighbours
        order = [*range(0, number, 2), *range(1, number, 2)]
        return matrices[order], origins[order]
    return matrices, origins


def _leaves(flower: Flower, stem: Points) -> tuple[Frame, ...]:
    pose, habit = flower.pose, flower.habit
    length = pose.leaf_length * habit.leaf_length
    aspect = shapes.LEAF_ASPECT[flower.traits.leaf] * habit.leaf_width
    if flower.traits.leaf == "grassy":
        length *= 1.25  # a leaf this slim is visible only when it is long
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
    x, y = pose.head
    stem = _CURVE @ np.array([[x, y], [x, 0.7], [pose.foot, 1.06]])  # down, then towards the foot
    matrices, origins = _petals(flower, tilt, rng)
    return Plant(
        petal_matrices=matrices,
        petal_origins=origins,
        petal=shapes.PETALS[traits.shape],
        eye=Frame(tilt * radius, np.array(pose.head) + rise),
        leaves=_leaves(flower, stem),
        leaf=shapes.LEAVES[traits.leaf],
        stem=stem,
        stem_width=0.024 * habit.stem_width,
    )
