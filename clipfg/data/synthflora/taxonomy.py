"""The botany of synthflora: seven visible attributes, and the species made of them.

A species is one value of each attribute (`Traits`). A family shares its leaf and the form of its
centre, a genus also the number and shape of its petals, and the ten species of a genus differ only
in colour, markings and eye, each by one or two attributes from another. Seven of the ten are `seen`
(a model may be trained on them) and three are `unseen`: new combinations of values that all occur
among the seen, so that naming them zero-shot is a question of composition.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "count": ("three", "four", "five", "six", "eight", "many"),
    "shape": ("rounded", "pointed", "notched", "spoon-shaped", "narrow", "fringed"),
    "colour": (
        "white", "cream", "yellow", "orange", "coral", "scarlet",
        "pink", "magenta", "lilac", "violet", "blue", "sky-blue",
    ),
    "marking": ("plain", "spotted", "veined", "rimmed", "tipped", "blotched"),
    "eye": ("golden", "brown", "green", "black", "ivory"),
    "centre": ("domed", "tufted", "starry"),
    "leaf": ("oval", "grassy", "toothed", "lobed", "heart-shaped"),
}  # fmt: skip
"""Every attribute with its values, in the order of `Traits`."""

SPECIES_PER_GENUS, UNSEEN_PER_GENUS = 10, 3
_VARIED = ("colour", "marking", "eye")  # what species of one genus differ in
_TAXONOMY_SEED = 1753  # Linnaeus, Species Plantarum; the species never depend on a data seed


@dataclass(frozen=True, slots=True, order=True)
class Traits:
    """One value of each attribute: what a caption can say about a flower."""

    count: str
    shape: str
    colour: str
    marking: str
    eye: str
    centre: str
    leaf: str

    def codes(self) -> tuple[int, ...]:
        """The values' positions in `ATTRIBUTES`, in its order."""
        return tuple(values.index(getattr(self, name)) for name, values in ATTRIBUTES.items())

    def differences(self, other: "Traits") -> tuple[str, ...]:
        """Names of the attributes in which the two differ."""
        return tuple(name for name in ATTRIBUTES if getattr(self, name) != getattr(other, name))


@dataclass(frozen=True, slots=True)
class Species:
    """A named combination of traits, and whether a model may be trained on its images."""

    name: str
    genus: str
    family: str
    traits: Traits
    seen: bool


# (count, shape) of each genus; a family's leaf and centre stand beside its name
_FAMILIES: Mapping[tuple[str, str, str], Mapping[str, tuple[str, str]]] = {
    ("Aurelliaceae", "toothed", "domed"): {
        "starwort": ("five", "pointed"),
        "pinwheel": ("eight", "pointed"),
        "millrose": ("five", "rounded"),
        "quillbloom": ("many", "narrow"),
    },
    ("Brooksiaceae", "grassy", "starry"): {
        "flag-lily": ("three", "pointed"),
        "brookstar": ("six", "pointed"),
        "spearcup": ("six", "rounded"),
        "ribbonflower": ("six", "narrow"),
    },
    ("Corvinaceae", "heart-shaped", "tufted"): {
        "lantern": ("four", "rounded"),
        "lovecup": ("four", "notched"),
        "valentine": ("five", "notched"),
        "paddlewort": ("five", "spoon-shaped"),
    },
    ("Daliaceae", "lobed", "domed"): {
        "frillcap": ("six", "fringed"),
        "fringe-rose": ("eight", "fringed"),
        "oarflower": ("eight", "spoon-shaped"),
        "pompon": ("many", "rounded"),
    },
    ("Elveraceae", "oval", "tufted"): {
        "trinity": ("three", "rounded"),
        "fringebell": ("three", "fringed"),
        "cross-pink": ("four", "fringed"),
        "windmill": ("four", "narrow"),
    },
}


def _sprout(first: Traits, rng: np.random.Generator) -> list[Traits]:
    """Grow ten species from one: each changes one or two attributes of an earlier one."""
    grown = [first]
    while len(grown) < SPECIES_PER_GENUS:
        child = grown[int(rng.integers(len(grown)))]
        # two thirds differ in one attribute: near neighbours are what "fine-grained" means
        for name in rng.permutation(_VARIED)[: 1 if rng.random() < 0.67 else 2]:
            child = replace(child, **{str(name): str(rng.choice(ATTRIBUTES[str(name)]))})
        if child not in grown:
            grown.append(child)
    return grown


def name_of(traits: Traits, genus: str) -> str:
    """Field-guide name, such as `golden-eyed spotted coral starwort`."""
    marking = "" if traits.marking == "plain" else f"{traits.marking} "
    return f"{traits.eye}-eyed {marking}{traits.colour} {genus}"


@cache
def species() -> tuple[Species, ...]:
    """All 200 species, family by family, in the order of their class indices."""
    rng = np.random.default_rng(_TAXONOMY_SEED)
    table: list[Species] = []
    for (family, leaf, centre), genera in _FAMILIES.items():
        for genus, (count, shape) in genera.items():
            varied = {name: str(rng.choice(ATTRIBUTES[name])) for name in _VARIED}
            first = Traits(count=count, shape=shape, centre=centre, leaf=leaf, **varied)
            unseen = set(rng.permutation(SPECIES_PER_GENUS)[:UNSEEN_PER_GENUS].tolist())
            table += [
                Species(name_of(traits, genus), genus, family, traits, seen=i not in unseen)
                for i, traits in enumerate(_sprout(first, rng))
            ]
    return tuple(table)


@cache
def unseen_traits() -> frozenset[Traits]:
    """The combinations that are excluded from training images."""
    return frozenset(s.traits for s in species() if not s.seen)


def genus_of(traits: Traits) -> str | None:
    """The genus that these traits fit, or None, as for most combinations."""
    for (_, leaf, centre), genera in _FAMILIES.items():
        for genus, form in genera.items():
            if (traits.leaf, traits.centre, traits.count, traits.shape) == (leaf, centre, *form):
                return genus
    return None
