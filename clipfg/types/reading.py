"""What a source of data was taken for: said before it is used, and kept with the results."""

from dataclasses import dataclass
from pathlib import Path

TOGETHER, IN_A_BAG = "what belongs together", "what makes a bag"
"""The meaning of a column that `--group-by` names."""
ALONE = "alone, and so no class"
"""The meaning of a folder with no other beside it."""


@dataclass(frozen=True)
class Role:
    """One part of a source, such as a level of folders or a column, and its meaning."""

    part: str
    """`"column common_name"`, `"folder level 2"`, `"words.txt"`."""
    meaning: str
    """`"class"`, `"split"`, `"class names"`, `"path"`, `"group"`, ..."""


@dataclass(frozen=True)
class LeftOut:
    """Files, folders or rows that are not used."""

    what: str
    """Their name, or that of the first of them."""
    count: int
    why: str
    """`"no image"`, `"beside the class folders"`, ..., in a few words."""


@dataclass(frozen=True)
class Reading:
    """How one source was understood."""

    form: str
    """`"a folder per class"`, `"COCO instances"`, `"a CSV table"`."""
    roles: tuple[Role, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    doubts: tuple[str, ...] = ()
    """Sentences on what looks wrong, each with the option that settles it."""
    missing: int = 0
    """How many pictures that a table names are not there."""
    failed: tuple[str, ...] = ()
    """Pictures, as the source names them, that a detector before clipfg could not use."""


@dataclass(frozen=True)
class Hints:
    """What a person says of their data where a reader would have to guess; None is a guess."""

    label_level: int | None = None
    """Which folder below the data names the class, counted from 1; 0 for no labels."""
    path_column: str | None = None
    label_column: str | None = None
    split_column: str | None = None
    """What the columns of a table are called."""
    name_column: str | None = None
    """Which names of a class count, separated by commas: answers are given in the first."""
    label_names: Path | None = None
    """A file that says what labels that are numbers or codes stand for."""
    label_from_name: str | None = None
    """A regular expression whose group is the class in a picture's name."""
    several_labels: str | None = None
    """`"first"` label of a picture that has several, or `"skip"` it."""
    group_by: str | None = None
    """What keeps pictures together, if it is a column of a table."""
    bag_by: str | None = None
    """What makes bags, if it is a column of a table."""
    boxes: Path | None = None
    """A file of boxes for the pictures."""
    min_confidence: float | None = None
    """Boxes that are less sure are left out."""
    box_format: str | None = None
    """What four numbers of a box mean: `"xywh relative"`."""
