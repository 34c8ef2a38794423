"""Outlines of petals and leaves as polygons, before any pose.

Every outline is an array `[m, 2]` in the part's own frame: x runs along the part from 0 at its
base to about 1 at its tip, y across it from -1 to 1 at its widest. The drawing scales x by the
part's length and y by its half-width, so one outline serves every flower and every size.
"""

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

_STEPS = 15
_T = (1 - np.cos(np.linspace(0.0, np.pi, _STEPS))) / 2  # dense where outlines bend, at both ends


def _mirrored(x: Points, y: Points) -> Points:
    """Close a half outline, given from base to tip, by its mirror image."""
    half = np.stack([x, y / y.max()], axis=1)
    return np.concatenate([half, half[-2:0:-1] * (1.0, -1.0)])


def _fringed() -> Points:
    t = np.linspace(0.0, 1.0, 33)
    outline = _mirrored(*_rounded_half(t))
    # a wavy edge that starts beyond the slim base, where the neighbours would hide it anyway
    waves = 1.0 + 0.13 * np.cos(np.pi * np.arange(len(t)) / 2.0) * np.clip(t * 3 - 0.9, 0, 1)
    factor = np.concatenate([waves, waves[-2:0:-1]])[:, None]
    middle = np.array([0.5, 0.0])
    return middle + (outline - middle) * factor


def _rounded_half(t: Points) -> tuple[Points, Points]:
    slim_base = np.sqrt(np.clip(1 - ((t - 0.56) / 0.56) ** 2, 0, 1)) * (0.25 + 0.75 * t**0.4)
    round_tip = np.sqrt(np.clip(1 - ((t - 0.56) / 0.44) ** 2, 0, 1))
    return t, np.where(t > 0.56, round_tip, slim_base)


_LOBE = np.linspace(0.0, 1.0, 17)  # of a notched petal: its half outline turns back at the tip
_TURNS = [0, 0.3, 0.55, 0.75, 0.88, 1]

PETALS: dict[str, Points] = {
    "rounded": _mirrored(*_rounded_half(_T)),
    "pointed": _mirrored(_T, _T**0.75 * (1 - _T) ** 0.85),
    "notched": _mirrored(
        np.interp(_LOBE, _TURNS, [0, 0.4, 0.76, 0.98, 0.97, 0.70]),
        np.interp(_LOBE, _TURNS, [0.04, 0.58, 1.0, 0.80, 0.38, 0.0]),
    ),
    "spoon-shaped": _mirrored(
        _T,
        np.maximum(
            np.sqrt(np.clip(1 - ((_T - 0.74) / 0.26) ** 2, 0, 1)),
            np.where(_T < 0.6, 0.20 + 0.08 * _T, 0.0),
        ),
    ),
    "narrow": _mirrored(_T, np.clip(_T * 9, 0.35, 1) * np.sqrt(np.clip((1 - _T) * 7, 0, 1))),
    "fringed": _fringed(),
}
"""Outline of one petal of each shape."""

PETAL_ASPECT = {
    "rounded": 0.46,
    "pointed": 0.34,
    "notched": 0.52,
    "spoon-shaped": 0.34,
    "narrow": 0.115,
    "fringed": 0.50,
}
"""Half-width over length of each petal shape where the neighbours are not too close."""


def _toothed() -> Points:
    t = np.linspace(0, 1, 19)
    saw = 1.0 + 0.22 * np.where(np.arange(19) % 2, 1.0, -1.0) * (t > 0.05)
    y = t**0.5 * (1 - t) ** 0.6 * saw
    return _mirrored(t + 0.05 * (saw < 1) * (t < 0.9), np.maximum(y, 0.0))


LEAVES: dict[str, Points] = {
    "oval": _mirrored(_T, _T**0.55 * (1 - _T) ** 0.6),
    "grassy": _mirrored(_T, (0.3 + 0.7 * np.sin(np.pi * _T**0.8)) * (1 - _T) ** 0.5),
    "toothed": _toothed(),
    "lobed": _mirrored(
        np.array([0, 0.10, 0.14, 0.30, 0.36, 0.44, 0.60, 0.66, 0.72, 0.86, 1.0]),
        np.array([0.06, 0.12, 0.85, 0.80, 0.22, 0.25, 1.0, 0.80, 0.22, 0.36, 0.0]),
    ),
    "heart-shaped": _mirrored(
        np.array([0.22, 0.10, 0.04, 0.06, 0.18, 0.36, 0.58, 0.80, 1.0]),
        np.array([0.0, 0.22, 0.50, 0.80, 0.98, 0.92, 0.62, 0.27, 0.0]),
    ),
}
"""Outline of one leaf of each form."""

LEAF_ASPECT = {
    "oval": 0.30,
    "grassy": 0.10,
    "toothed": 0.34,
    "lobed": 0.42,
    "heart-shaped": 0.50,
}
"""Half-width over length of each leaf form."""


def star_outline(points: int, inner: float) -> Points:
    """A star of radius 1 with the given number of points; `inner` is its inner radius."""
    angle = np.linspace(0, 2 * np.pi, 2 * points, endpoint=False)
    radius = np.where(np.arange(2 * points) % 2, inner, 1.0)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


CIRCLE: Points = star_outline(12, 1.0)
"""A unit circle of 24 points."""
