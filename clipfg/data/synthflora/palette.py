"""The colours of synthflora, red, green, blue in 0..255."""

from collections.abc import Iterable

Colour = tuple[float, float, float]
Backdrop = tuple[Colour, Colour, Colour]

PETALS: dict[str, tuple[Colour, Colour]] = {
    "white": ((246, 244, 240), (150, 50, 120)),
    "cream": ((249, 234, 192), (160, 60, 50)),
    "yellow": ((248, 212, 58), (190, 84, 20)),
    "orange": ((244, 150, 44), (140, 36, 24)),
    "coral": ((243, 122, 104), (150, 24, 60)),
    "scarlet": ((206, 40, 44), (80, 8, 24)),
    "pink": ((245, 164, 192), (190, 34, 100)),
    "magenta": ((204, 46, 132), (252, 206, 226)),
    "lilac": ((196, 164, 226), (98, 46, 150)),
    "violet": ((116, 66, 172), (226, 206, 248)),
    "blue": ((64, 94, 204), (206, 224, 252)),
    "sky-blue": ((152, 196, 242), (40, 70, 170)),
}
"""Each colour of petals, and that of the spots, veins, rims, tips and blotches on them."""

EYES: dict[str, Colour] = {
    "golden": (246, 190, 40),
    "brown": (136, 84, 40),
    "green": (130, 178, 64),
    "black": (48, 36, 44),
    "ivory": (248, 240, 214),
}

LEAVES: tuple[Colour, ...] = ((88, 142, 62), (66, 124, 70), (110, 154, 70), (84, 132, 92))

BACKDROPS: tuple[Backdrop, ...] = (
    ((168, 196, 142), (96, 142, 84), (58, 96, 58)),  # meadow
    ((196, 216, 236), (164, 194, 196), (110, 150, 104)),  # against the sky
    ((214, 198, 168), (170, 146, 110), (112, 92, 66)),  # dry earth
    ((104, 136, 106), (66, 98, 76), (38, 62, 50)),  # forest floor
    ((240, 206, 178), (204, 152, 140), (120, 96, 110)),  # evening
    ((190, 178, 206), (132, 128, 168), (78, 84, 110)),  # dusk
    ((228, 228, 218), (206, 208, 198), (172, 178, 164)),  # a florist's wall
    ((150, 188, 182), (96, 142, 142), (56, 92, 100)),  # waterside
)
"""Top, middle and bottom of each kind of background."""

OUTLINE: Colour = (38, 30, 42)


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """`a` with the given share of `b`."""
    red, green, blue = (x + (y - x) * share for x, y in zip(a, b, strict=True))
    return red, green, blue


def darker(colour: Colour, share: float) -> Colour:
    """Towards the outline's colour."""
    return mix(colour, OUTLINE, share)


def lighter(colour: Colour, share: float) -> Colour:
    """Towards white."""
    return mix(colour, (255.0, 255.0, 255.0), share)


def shifted(colour: Colour, shift: Iterable[float]) -> Colour:
    """`colour` plus `shift`, kept in range."""
    red, green, blue = (min(255.0, max(0.0, c + s)) for c, s in zip(colour, shift, strict=True))
    return red, green, blue


def luminance(colour: Colour) -> float:
    """Perceived brightness, 0 to 255."""
    return 0.3 * colour[0] + 0.59 * colour[1] + 0.11 * colour[2]
