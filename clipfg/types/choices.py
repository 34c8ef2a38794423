"""Items that bring their own texts: which text is true of the picture?"""

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
    """How many images the data's files list."""
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
    def by_image(self) -> dict[str, list[Choice]]:
        """The choices of each image, in the order of `images`."""
        groups: dict[str, list[Choice]] = {}
        for choice in self.choices:
            groups.setdefault(choice.image, []).append(choice)
        return groups

    def images(self) -> Manifest:
        """A row for each image, without a label; `regions` holds the boxes that are asked about."""
        groups = self.by_image
        columns: dict[str, Sequence[object]] = {
            "id": list(groups),
            "uri": [group[0].uri for group in groups.values()],
        }
        if self.has_boxes:
            columns["regions"] = [
                [{"box": list(box), "phrase": phrase} for box, phrase in regions(group).items()]
                for group in groups.values()
            ]
        return Manifest.build(self.name, columns, expected=max(self.expected, len(groups)))

    def select(self, subset: str | None = None, limit: int | None = None) -> Self:
        """The choices of a subset, all of them for None and "all", on the first `limit` images.

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
            first = set(list(dict.fromkeys(choice.image for choice in chosen))[:limit])
            chosen = tuple(choice for choice in chosen if choice.image in first)
        return replace(self, choices=chosen, failures=failures)


def regions(choices: Sequence[Choice]) -> dict[Box, str]:
    """The boxes of one image's choices, each once, with the first text that is true of it."""
    found: dict[Box, str] = {}
    for choice in choices:
        if choice.box is not None:
            found.setdefault(choice.box, choice.texts[0])
    return found
