"""A curated list of encoders: their cost, licence and published accuracy.

Accuracies are zero-shot with the templates of OpenAI's CLIP, from open_clip's
`docs/openclip_results.csv`; those on FG-OVD are the FG-CLIP authors' own (arXiv:2505.05071,
arXiv:2510.10921); licences are those of the model cards. An empty cell of `catalogue.csv` means not
verified.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

DEFAULT_MODEL = "open_clip:ViT-B-16-SigLIP/webli"
"""The encoder for real images; docs/models.md says why.

The larger SigLIP models score a few points more for 2.7 to 16 times the arithmetic; DFN5B's ViT-H
leads on Aircraft, but its licence allows research only.
"""

DATASETS = ("flowers102", "oxford-pets", "stanford-cars", "fgvc-aircraft", "food101")
FGOVD = ("hard", "medium", "easy", "trivial")
"""The parts of FG-OVD: a region's phrase among ten false ones, which differ in one attribute to
three, or altogether."""


@dataclass(frozen=True)
class CatalogueEntry:
    """One encoder of the catalogue, by the name that `load_encoder` takes."""

    name: str
    parameters: float
    """Of both towers, in millions, from the published configuration."""
    image_size: int
    """The side of its square input in pixels; with NaFlex, of the largest square."""
    dim: int
    licence: str | None
    """Of the weights, as the model card gives it (an SPDX identifier where it is one)."""
    accuracy: tuple[float | None, ...]
    """Published zero-shot top-1 accuracy in percent on `DATASETS`, in that order."""
    fgovd: tuple[float | None, ...]
    """Published accuracy of region phrases in percent on the parts of `FGOVD`."""
    note: str
    """When to choose it, in one sentence."""


_LINES = Path(__file__).with_suffix(".csv").read_text(encoding="utf-8").splitlines()
CATALOGUE = tuple(
    CatalogueEntry(
        row["name"],
        float(row["parameters"]),
        int(row["image_size"]),
        int(row["dim"]),
        row["licence"] or None,
        tuple(float(row[data]) if row[data] else None for data in DATASETS),
        tuple(float(row[part]) if row[part] else None for part in FGOVD),
        row["note"],
    )
    for row in csv.DictReader(_LINES)
)
