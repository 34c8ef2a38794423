"""What `clipfg lint` looks at, and what it remarks on."""

from dataclasses import dataclass
from typing import Literal

from clipfg.types import UNLABELLED, ClassList
from clipfg.workflows.pool import Pool

Level = Literal["error", "warning"]

KINDS: dict[str, str] = {
    "unreadable": "pictures that cannot be read",
    "leak": "the same picture in two splits",
    "contradiction": "the same picture with two labels",
    "copy": "the same picture twice",
    "near-leak": "almost the same picture in two splits",
    "near-contradiction": "almost the same picture with two labels",
    "near-copy": "almost the same picture twice",
    "label": "labels that the other pictures speak against",
    "outlier": "pictures far from all others",
    "class-name": "class names that are alike or too long",
    "class-size": "classes with no, one, few or very many pictures",
}
"""Every kind of finding, the gravest first."""


@dataclass(frozen=True)
class LintFinding:
    """One remark on the data.

    `id` is a picture's, or a class's name for the kinds that begin with `class`; `other` is the
    picture beside it, or the class that is meant. `score` is what findings of a kind are ranked by,
    the largest first: a cosine, a probability or a distance.
    """

    kind: str
    level: Level
    id: str
    what: str
    other: str | None = None
    score: float = 1.0


@dataclass(frozen=True)
class Gathered:
    """The pictures that could be read, with the split of each, and their class list or None."""

    pool: Pool
    splits: list[str | None]
    classes: ClassList | None

    def label(self, row: int) -> str:
        """The name of a row's class; nothing where it has none."""
        known = self.pool.labels[row] != UNLABELLED and self.classes is not None
        return self.classes.names[self.pool.labels[row]] if known and self.classes else ""
