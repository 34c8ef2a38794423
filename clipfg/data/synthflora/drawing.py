"""Paint a flower: petals with nested shades and markings, eye, stem and leaves.

Everything is painted in vector form on a canvas three times as large and then reduced, so that
one flower looks the same at 64 pixels and at 640.
"""

import numpy as np
from PIL import Image

from clipfg.data.synthflora import palette
from clipfg.data.synthflora.brush import Brush
from clipfg.data.synthflora.flower import Flower
from clipfg.data.synthflora.palette import OUTLINE, Colour, darker, lighter, luminance, mix, shifted
from clipfg.data.synthflora.plant import Frame, Plant, grow
from clipfg.data.synthflora.scenery import arrange
from clipfg.data.synthflora.shapes import CIRCLE, Points, star_outline

_SUPERSAMPLING = 3
_SPOTS = ((0.40, 0.0), (0.56, 0.33), (0.58, -0.35), (0.74, 0.02), (0.80, 0.45), (0.82, -0.4))
_FOLD = np.array([[0.1, 0.0], [0.42, 0.0]])
_MIDRIB = np.array([[0.02, 0.0], [0.92, 0.0]])


def _shrunk(outline: Points, share: float, towards: float) -> Points:
    """The outline scaled about the point (`towards`, 0) of the part's own frame."""
    middle = np.array([towards, 0.0])
    return middle + (outline - middle) * share


def _clipped(outline: Points, start: float, stop: float) -> Points:
    """The part of a mirrored outline with x within [start, stop] (its ends squared off)."""
    return np.stack([np.clip(outline[:, 0], start, stop), outline[:, 1]], axis=1)


def _paint_marking(brush: Brush, flower: Flower, frame: Frame, petal: Points, ink: Colour) -> None:
    size, marking = flower.habit.mark_size, flower.traits.marking
    if marking == "spotted":
        # spots are round in the image, not in the petal's stretched frame
        along, width = (float(v) for v in np.linalg.norm(frame.matrix, axis=0))
        dot = 0.070 * size * np.array([1.0, min(along / max(width, 1e-6), 4.5)])
        for place in _SPOTS:
            brush.fill(frame(CIRCLE * dot + place), ink)
    elif marking == "veined":
        for slope in (-0.62, -0.3, 0.0, 0.3, 0.62):
            reach = 0.86 - 0.24 * abs(slope)
            line = np.array([[0.12, slope * 0.1], [0.45, slope * 0.6], [reach, slope]])
            brush.line(frame(line), ink, 0.0085 * size)
    elif marking == "tipped":
        brush.fill(frame(_clipped(petal, 0.76 - 0.06 * (size - 1), 2.0)), ink)
    elif marking == "blotched":
        brush.fill(frame(_clipped(petal, -1.0, 0.40) * (1.0, 0.8)), ink)
        tongue = np.array([[0.38, 0.4], [0.38 + 0.22 * size, 0.0], [0.38, -0.4]])
        brush.fill(frame(tongue), ink)


def _paint_petals(brush: Brush, flower: Flower, plant: Plant, shade: float) -> None:
    colour, ink = palette.PETALS[flower.traits.colour]
    colour = shifted(colour, flower.habit.tint)
    petal, frames = plant.petal, plant.petals
    rimmed = flower.traits.marking == "rimmed"
    for k, frame in enumerate(frames):
        # petals turn in and out of the light; a back row is in shadow
        back = 0.10 if len(frames) >= 8 and k < len(frames) / 2 else 0.0
        own = darker(colour, back + shade * (0.5 + 0.5 * np.sin(2.4 * k + shade * 40)))
        brush.fill(frame(petal), ink if rimmed else darker(own, 0.16))
        start = (1.0 - 0.26 * flower.habit.mark_size) if rimmed else 0.88
        brush.fill(frame(_shrunk(petal, start, 0.46)), own)
        brush.fill(frame(_shrunk(petal, start * 0.72, 0.56)), lighter(own, 0.18))
        brush.fill(frame(_shrunk(petal, start * 0.40, 0.64)), lighter(own, 0.34))
        _paint_marking(brush, flower, frame, petal, ink)
        brush.line(frame(_FOLD), darker(own, 0.3), 0.005)
        brush.outline(frame(petal), colour=mix(OUTLINE, own, 0.12))


def _paint_eye(brush: Brush, flower: Flower, plant: Plant) -> None:
    colour, frame = palette.EYES[flower.traits.eye], plant.eye
    rim = darker(colour, 0.35)
    if flower.traits.centre == "tufted":
        for k in range(11):
            angle = 2 * np.pi * k / 11
            tip = np.array([np.cos(angle), np.sin(angle)]) * (0.86 if k % 2 else 0.74)
            brush.line(frame(np.stack([tip * 0.2, tip])), darker(colour, 0.45), 0.0085)
            brush.fill(frame(CIRCLE * 0.19 + tip * 0.93), OUTLINE)
            brush.fill(frame(CIRCLE * 0.14 + tip * 0.93), lighter(colour, 0.10))
        brush.fill(frame(CIRCLE * 0.34), OUTLINE)
        brush.fill(frame(CIRCLE * 0.27), colour)
        return
    if flower.traits.centre == "starry":
        star = star_outline(6, 0.46)
        brush.fill(frame(star), OUTLINE)
        brush.fill(frame(star * 0.80), colour)
        brush.fill(frame(star * 0.52), lighter(colour, 0.35))
        brush.fill(frame(CIRCLE * 0.18), rim)
        return
    brush.fill(frame(CIRCLE), OUTLINE)
    brush.fill(frame(CIRCLE * 0.86), rim)
    brush.fill(frame(CIRCLE * 0.68 + (-0.06, -0.08)), colour)
    brush.fill(frame(CIRCLE * 0.36 + (-0.14, -0.20)), lighter(colour, 0.30))
    for k in range(9):  # florets
        angle = 2.4 * k
        place = np.array([np.cos(angle), np.sin(angle)]) * 0.25 * np.sqrt(k)
        brush.fill(frame(CIRCLE * 0.07 + place), darker(colour, 0.5))


def _paint_green(brush: Brush, flower: Flower, plant: Plant, green: Colour) -> None:
    """Stem and leaves."""
    brush.line(plant.stem, OUTLINE, plant.stem_width + 0.016)
    brush.line(plant.stem, green, plant.stem_width)
    brush.line(plant.stem - (0.004, 0.0), lighter(green, 0.25), plant.stem_width * 0.3)
    for frame in plant.leaves:
        leaf = plant.leaf
        brush.fill(frame(leaf), darker(green, 0.22))
        brush.fill(frame(_shrunk(leaf, 0.86, 0.45)), green)
        upper = leaf[leaf[:, 1] >= -1e-9]
        brush.fill(frame(_shrunk(upper, 0.72, 0.45)), lighter(green, 0.16))
        brush.line(frame(_MIDRIB), darker(green, 0.5), 0.006)
        if flower.traits.leaf != "grassy":
            lobed = flower.traits.leaf == "lobed"  # veins must end inside the lobes
            for x in (0.10, 0.49) if lobed else (0.25, 0.45, 0.65):
                vein = np.array([[x + 0.12, 0.5], [x, 0.0], [x + 0.12, -0.5]])
                brush.line(frame(vein), darker(green, 0.38), 0.004)
        brush.outline(frame(leaf))


def draw(flower: Flower, size: int) -> Image.Image:
    """Paint a flower as an RGB image of `size` by `size` pixels.

    The scene does not depend on the size: the same flower at 96 and at 512 pixels is one image
    at two resolutions (but for the camera's noise).
    """
    scenery, plant = arrange(flower), grow(flower)
    canvas = scenery.background(size * _SUPERSAMPLING)
    brush = Brush(canvas)
    shade = 0.10 if luminance(palette.PETALS[flower.traits.colour][0]) > 90 else 0.06
    _paint_green(brush, flower, plant, scenery.green)
    _paint_petals(brush, flower, plant, shade)
    _paint_eye(brush, flower, plant)
    scenery.paint_foreground(brush)
    return scenery.expose(canvas.reduce(_SUPERSAMPLING))
