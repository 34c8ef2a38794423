"""What surrounds a flower: background, light, occluders and the camera.

`arrange` draws every number of the scene at once, so that nothing depends on the image's size.
Backgrounds are painted tiny and enlarged: out of focus for free.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from clipfg.data.synthflora import palette
from clipfg.data.synthflora.brush import Brush
from clipfg.data.synthflora.flower import Flower
from clipfg.data.synthflora.palette import OUTLINE, Backdrop, Colour, darker, lighter, mix, shifted
from clipfg.data.synthflora.shapes import CIRCLE, Points

_TINY = 44  # side of the background before it is enlarged


@dataclass(frozen=True, slots=True)
class Scenery:
    """One scene; see `arrange`."""

    backdrop: Backdrop
    seed: tuple[int, ...]  # of the background's clutter
    green: Colour
    blades: tuple[tuple[Points, float], ...]  # outline and shade of grass in front of the flower
    ladybird: tuple[float, float, float] | None  # x, y, heading
    gain: float
    warmth: float  # above 0 towards yellow, below towards blue
    light_angle: float
    light_slope: float
    blur: float  # standard deviation, fraction of the side
    noise: float  # standard deviation, 0..255

    def background(self, side: int) -> Image.Image:
        """The blurred background with its out-of-focus clutter, `side` by `side` pixels."""
        rng = np.random.default_rng([*self.seed, 4])
        tiny = Image.fromarray(_gradient(self.backdrop, rng))
        _clutter(ImageDraw.Draw(tiny), self.backdrop, rng)
        tiny = tiny.filter(ImageFilter.GaussianBlur(rng.uniform(0.8, 1.8)))
        return tiny.resize((side, side), Image.Resampling.BICUBIC)

    def paint_foreground(self, brush: Brush) -> None:
        """Paint the objects that hide parts of the flower."""
        light, dark = lighter(self.green, 0.2), darker(self.green, 0.35)
        for outline, shade in self.blades:
            brush.fill(outline, mix(light, dark, shade))
            brush.outline(outline, 0.006)
        if self.ladybird is not None:
            _paint_ladybird(brush, self.ladybird)

    def expose(self, image: Image.Image) -> Image.Image:
        """Light, focus and noise of the camera."""
        side = image.width
        if self.blur * side > 0.2:
            image = image.filter(ImageFilter.GaussianBlur(self.blur * side))
        pixels = np.asarray(image, dtype=np.float32)
        axis = np.linspace(-1, 1, side, dtype=np.float32)
        slope = np.cos(self.light_angle) * axis[None, :] + np.sin(self.light_angle) * axis[:, None]
        vignette = 1 - 0.10 * (axis[None, :] ** 2 + axis[:, None] ** 2)
        light = (self.gain * (1 + self.light_slope * slope) * vignette)[..., None]
        tint = np.array([1 + self.warmth, 1.0, 1 - self.warmth], dtype=np.float32)
        rng = np.random.default_rng([*self.seed, 5])
        grain = rng.standard_normal((side, side, 1), dtype=np.float32) * self.noise
        grain *= min(1.0, 96 / side)  # a larger image comes from a better camera
        exposed = np.clip(pixels * light * tint + grain, 0, 255)
        return Image.fromarray(exposed.astype(np.uint8))


def _gradient(backdrop: Backdrop, rng: np.random.Generator) -> NDArray[np.uint8]:
    rows = np.linspace(0, 1, _TINY)
    ramp = np.stack([np.interp(rows, (0, 0.55, 1), [c[i] for c in backdrop]) for i in range(3)], 1)
    cells = rng.normal(0, 22, (7, 7)).clip(-50, 50) + 128
    patches = Image.fromarray(cells.astype(np.uint8))
    smooth = patches.resize((_TINY, _TINY), Image.Resampling.BICUBIC)
    unevenness = np.asarray(smooth, dtype=np.float64) - 128
    return np.clip(ramp[:, None, :] + unevenness[..., None], 0, 255).astype(np.uint8)


def _clutter(draw: ImageDraw.ImageDraw, backdrop: Backdrop, rng: np.random.Generator) -> None:
    """Distant grass, other flowers and spots of light."""
    leaves, petals = palette.LEAVES, [colour for colour, _ in palette.PETALS.values()]
    for _ in range(int(rng.integers(3, 10))):
        x, sway, height = rng.uniform(0, 1), rng.normal(0, 0.12), rng.uniform(0.3, 0.8)
        colour = mix(leaves[rng.integers(len(leaves))], backdrop[2], rng.uniform(0.1, 0.6))
        ends = [(x * _TINY, _TINY), ((x + sway) * _TINY, (1 - height) * _TINY)]
        draw.line(ends, fill=_rgb(colour), width=int(rng.integers(1, 4)))
    for _ in range(int(rng.integers(0, 6))):
        x, y, r = rng.uniform(0, 1), rng.uniform(0.05, 1), rng.uniform(0.03, 0.09)
        colour = mix(petals[rng.integers(len(petals))], backdrop[1], rng.uniform(0.1, 0.5))
        turn = rng.uniform(0, np.pi)
        for k in range(5):
            cx, cy = x + r * np.cos(turn + k * 1.2566), y + r * np.sin(turn + k * 1.2566)
            draw.ellipse([(v * _TINY) for v in (cx - r, cy - r, cx + r, cy + r)], fill=_rgb(colour))
    for _ in range(int(rng.integers(0, 5))):
        x, y, r = rng.uniform(0, 1), rng.uniform(0, 0.6), rng.uniform(0.03, 0.08)
        colour = lighter(backdrop[0], rng.uniform(0.2, 0.6))
        draw.ellipse([(v * _TINY) for v in (x - r, y - r, x + r, y + r)], fill=_rgb(colour))


def _rgb(colour: Colour) -> tuple[int, ...]:
    return tuple(map(int, colour))


def _paint_ladybird(brush: Brush, place: tuple[float, float, float]) -> None:
    x, y, heading = place
    c, s = np.cos(heading), np.sin(heading)
    turn = np.array([[c, -s], [s, c]])

    def at(points: Points) -> Points:
        return points @ turn.T * 0.036 + (x, y)

    brush.fill(at(CIRCLE * 0.62 + (0.85, 0.0)), OUTLINE)
    brush.fill(at(CIRCLE * 1.14), OUTLINE)
    brush.fill(at(CIRCLE * 0.96), (214.0, 54.0, 38.0))
    brush.line(at(np.array([[-1.0, 0.0], [1.0, 0.0]])), OUTLINE, 0.006)
    for spot in ((0.3, 0.5), (0.3, -0.5), (-0.4, 0.45), (-0.4, -0.45)):
        brush.fill(at(CIRCLE * 0.2 + spot), OUTLINE)


def _blade(rng: np.random.Generator) -> tuple[Points, float]:
    """A blade of grass: the outline of a curve that tapers from foot to tip, and its shade."""
    x = rng.uniform(0.0, 1.0)
    end = x + rng.normal(0, 0.28)
    foot, bend = np.array([x, 1.05]), np.array([x + rng.normal(0, 0.08), 0.65])
    tip, width = np.array([end, rng.uniform(0.12, 0.7)]), rng.uniform(0.010, 0.026)
    t = np.linspace(0, 1, 9)[:, None]
    middle = (1 - t) ** 2 * foot + 2 * t * (1 - t) * bend + t**2 * tip
    half = np.concatenate([width * (1 - t**1.5), np.zeros_like(t)], axis=1)
    return np.concatenate([middle - half, (middle + half)[-2::-1]]), rng.uniform(0, 1)


def arrange(flower: Flower) -> Scenery:
    """The scene of a flower; the same flower always has the same scene."""
    rng = np.random.default_rng([*flower.scenery, 3])
    blades = tuple(_blade(rng) for _ in range(rng.choice(4, p=[0.3, 0.3, 0.25, 0.15])))
    ladybird = None
    if rng.random() < 0.07:
        angle, reach = rng.uniform(0, 2 * np.pi), flower.pose.radius * rng.uniform(0.5, 0.9)
        x, y = flower.pose.head
        ladybird = (float(x + reach * np.cos(angle)), float(y + reach * np.sin(angle)), angle)
    soft = rng.random() < 0.3
    return Scenery(
        backdrop=palette.BACKDROPS[rng.integers(len(palette.BACKDROPS))],
        seed=flower.scenery,
        green=shifted(palette.LEAVES[rng.integers(len(palette.LEAVES))], rng.uniform(-12, 12, 3)),
        blades=blades,
        ladybird=ladybird,
        gain=rng.uniform(0.80, 1.22),
        warmth=rng.uniform(-0.10, 0.10),
        light_angle=rng.uniform(0, 2 * np.pi),
        light_slope=rng.uniform(0.0, 0.16),
        blur=rng.uniform(0.004, 0.013) if soft else 0.0,
        noise=rng.uniform(0.0, 5.0),
    )
