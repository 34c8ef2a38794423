"""What `clipfg lint` looks at, and what it remarks on."""

from dataclasses import dataclass
from typing import Literal

from clipfg.types import UNLABELLED, ClassList
from clipfg.workflows.pool import FeaturePool

Level = Literal["error", "warning"]

KINDS: dict[str, str] = {
    "unreadable": "images that cannot be read",
    "leak": "the same image in two splits",
    "contradiction": "the same image with two labels",
    "copy": "the same image twice",
    "near-leak": "almost the same image in two splits",
    "near-contradiction": "almost the same image with two labels",
    "near-copy": "almost the same image twice",
    "group-leak": "a group in two splits",
    "group": "signs that several images are of one thing or moment",
    "label": "labels that are probably wrong",
    "outlier": "images far from all others",
    "uniform": "images of one colour",
    "dark": "images that are dark",
    "washed-out": "images that are washed out",
    "blurred": "images that are blurred",
    "strip": "images that are a long strip",
    "class-name": "class names that are ambiguous or too long",
    "class-size": "classes with no, one, few or very many images",
}
"""Every kind of finding, the gravest first."""


@dataclass(frozen=True)
class LintFinding:
    """One remark on the data.

    `id` is an image's, or a class's name for the kinds that begin with `class`; `other` is the
    image beside it, or the class that is meant. `score` is what findings of a kind are ranked by,
    the largest first: a cosine, log odds, a distance or an excess over a threshold.
    """

    kind: str
    level: Level
    id: str
    what: str
    other: str | None = None
    score: float = 1.0


@dataclass(frozen=True)
class LintData:
    """The images that could be read, with the split of each, and their class list or None."""

    pool: FeaturePool
    splits: list[str | None]
    classes: ClassList | None
    groups: list[str | None] | None = None
    """What `--group-by` calls the group of each image; None without it."""
    parts: bool = False
    """Whether items are boxes: those of one picture are no copies of one another."""

    def once_a_picture(self, rows: list[int]) -> list[int]:
        """Rows without further boxes of a picture that is among them."""
        if not self.parts:
            return rows
        return list({self.pool.uris[row]: row for row in reversed(rows)}.values())[::-1]

    def label(self, row: int) -> str:
        """The name of a row's class; nothing where it has none."""
        label = self.pool.labels[row]
        return "" if label == UNLABELLED or self.classes is None else self.classes.names[label]
