"""What a table says of the classes of its rows."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from clipfg.types import ClassList, Role


@dataclass
class Labelled:
    """The labels of all rows."""

    labels: NDArray[np.int64]
    """Class indices `[n]`; the first of several; `UNLABELLED` where there is none."""
    classes: ClassList | None = None
    several: NDArray[np.bool_] | None = None
    """Rows `[n]` with more than one label."""
    example: tuple[str, ...] = ()
    """The labels of the first such row."""
    roles: list[Role] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
