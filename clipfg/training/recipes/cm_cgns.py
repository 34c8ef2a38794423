"""CM-CGNS: negatives guided by clusters of sentences."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from clipfg.training.recipes.base import Recipe


@dataclass(frozen=True, kw_only=True)
class CmCgns(Recipe):
    """Likely false negatives are left out; the paper's form is `false_negatives=margin`."""

    name: ClassVar[str] = "cm-cgns"
    source: ClassVar[str] = "Lan et al. 2025, arXiv 2506.11674; masking in place of its margin"

    losses: str = "cm-cgns"
    clusters: int = 32
    """Centroids of sentences; a batch has more sentences than that, or there are fewer."""
    momentum: float = 0.001
    """How far centroids move to a batch's means."""
    false_negatives: Literal["mask", "margin"] = "mask"
    """What is done with sentences of one cluster."""
    reconstruction: float = 10.0
    """Weight of rebuilding dropped patches."""
