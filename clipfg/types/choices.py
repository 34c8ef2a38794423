"""Items that bring their own texts: which text is true of the picture?"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

from clipfg.errors import UsageError
from clipfg.registry import closest
from clipfg.types.manifest import Failure, Manifest

Box = tuple[float, float, float, float]
"""`x0, y0, x1, y1` in pixels of the upright image."""


@dataclass(frozen=True)
class Choice:
    """An image, or a box in it, and texts of which only the first is true."""

    id: str
    image: str
    """The image's name in the data, which its other choices share."""
    uri: str
    texts: tuple[str, ...]
    """Two or more, all different."""
    subset: str
    """What the data calls its part: a difficulty or a category."""
    box: Box | None = None
    pair: str = ""
    """The two choices of a pair are between the same texts, and another one is true of each."""


@dataclass(frozen=True)
class ChoiceSet:
    """The choices of a data set whose images are on disk."""

    name: str
    choices: tuple[Choice, ...]
    expected: int
    """How many images there would be, were all on disk."""
    failures: tuple[Failure, ...] = ()
    """Rows of its files that cannot be used; an id begins with its subset and a slash."""

    def __len__(self) -> int:
        return len(self.choices)

    @property
    def subsets(self) -> tuple[str, ...]:
        """The subsets that occur, in their order."""
        return tuple(dict.fromkeys(choice.subset for choice in self.choices))

    @property
    def has_boxes(self) -> bool:
        """Whether the choices are about boxes."""
        return any(choice.box is not None for choice in self.choices)

    @cached_property
    def by_part(self) -> dict[tuple[str, Box | None], list[Choice]]:
        """The choices about each image, or each box in one; those of an image stand together."""
        order = {image: at for at, image in enumerate(dict.fromkeys(c.image for c in self.choices))}
        parts: dict[tuple[str, Box | None], list[Choice]] = {}
        for choice in sorted(self.choices, key=lambda choice: order[choice.image]):
            parts.setdefault((choice.image, choice.box), []).append(choice)
        return parts

    def parts(self) -> Manifest:
        """A row for each of `by_part`, in its order: an image, and its `box` where there is one."""
        columns: dict[str, Sequence[object]] = {
            "id": [_part_name(image, box) for image, box in self.by_part],
            "uri": [choices[0].uri for choices in self.by_part.values()],
        }
        if self.has_boxes:
            columns["box"] = [box for _, box in self.by_part]
        return Manifest.build(self.name, columns)

    def images(self) -> Manifest:
        """A row for each image, without a label.

        `regions` holds the boxes that are asked about, with a text that is true of each.
        """
        uris: dict[str, str] = {}
        regions: dict[str, list[object]] = {}
        for (image, box), choices in self.by_part.items():
            uris[image] = choices[0].uri
            regions.setdefault(image, []).append({"box": box, "phrase": choices[0].texts[0]})
        columns: dict[str, Sequence[object]] = {"id": list(uris), "uri": list(uris.values())}
        if self.has_boxes:
            columns["regions"] = list(regions.values())
        return Manifest.build(self.name, columns, expected=max(self.expected, len(uris)))

    def select(self, subset: str | None = None, limit: int | None = None, seed: int = 0) -> Self:
        """The choices of a subset, all for None and "all", on `limit` images drawn by a seed.

        Raises `UsageError` where there is no such subset.
        """
        chosen, failures = self.choices, self.failures
        if subset not in (None, "all"):
            if subset not in self.subsets:
                raise UsageError(
                    f"Expected a subset of {self.name} as split, got {subset!r}."
                    f"{closest(subset or '', self.subsets)} It has: {', '.join(self.subsets)}."
                )
            chosen = tuple(choice for choice in chosen if choice.subset == subset)
            failures = tuple(one for one in failures if one.id.startswith(f"{subset}/"))
        if limit is not None:
            images = list(dict.fromkeys(choice.image for choice in chosen))
            kept = set(random.Random(seed).sample(images, min(limit, len(images))))
            chosen = tuple(choice for choice in chosen if choice.image in kept)
        return replace(self, choices=chosen, failures=failures)


def _part_name(image: str, box: Box | None) -> str:
    return image if box is None else f"{image}#{','.join(f'{corner:.10g}' for corner in box)}"
