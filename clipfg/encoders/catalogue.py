"""A curated list of twelve encoders: their cost, licence and published accuracy.

Accuracies are zero-shot with the templates of OpenAI's CLIP, from open_clip's
`docs/openclip_results.csv`; licences are those of the model cards. An empty cell of `catalogue.csv`
means not verified.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

DEFAULT_MODEL = "open_clip:ViT-B-16-SigLIP/webli"
"""The encoder for real images; docs/models.md says why.

The larger SigLIP models score a few points more for 2.7 to 16 times the arithmetic; DFN5B's ViT-H
leads on Aircraft, but its licence allows research only.
"""

DATASETS = ("flowers102", "oxford-pets", "stanford-cars", "fgvc-aircraft", "food101")


@dataclass(frozen=True)
class CatalogueEntry:
    """One encoder of the catalogue.

    Parameters
    ----------
    name
        What `load_encoder` takes.
    parameters
        Number of parameters of both towers, in millions, from the published configuration.
    image_size
        The side of its square input in pixels.
    dim
        The dimension of its embedding space.
    licence
        Licence of the weights as the model card gives it (an SPDX identifier where it is one).
    accuracy
        Published zero-shot top-1 accuracy in percent on `DATASETS`, in that order.
    note
        When to choose it, in one sentence.
    """

    name: str
    parameters: float
    image_size: int
    dim: int
    licence: str | None
    accuracy: tuple[float | None, ...]
    note: str

    @property
    def mean_accuracy(self) -> float | None:
        """The mean accuracy over `DATASETS`, or None where one is not published."""
        known = [value for value in self.accuracy if value is not None]
        return sum(known) / len(known) if len(known) == len(DATASETS) else None


def _read() -> Iterator[CatalogueEntry]:
    with Path(__file__).with_suffix(".csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield CatalogueEntry(
                row["name"],
                float(row["parameters"]),
                int(row["image_size"]),
                int(row["dim"]),
                row["licence"] or None,
                tuple(float(row[data]) if row[data] else None for data in DATASETS),
                row["note"],
            )


CATALOGUE: tuple[CatalogueEntry, ...] = tuple(_read())


def table() -> str:
    """The catalogue as Markdown, as docs/models.md shows it: cost, accuracy, notes."""
    cost = [  # float32 weights: four bytes a parameter
        (e.name, round(e.parameters), e.image_size, e.dim, round(4 * e.parameters), e.licence)
        for e in CATALOGUE
    ]
    accuracy = [(e.name, *e.accuracy, e.mean_accuracy) for e in CATALOGUE]
    return "\n\n".join(
        [
            _markdown(("parameters, M", "input", "width", "download, MB", "licence"), cost),
            _markdown(("Flowers", "Pets", "Cars", "Aircraft", "Food", "mean"), accuracy),
            "\n".join(f"- `{_short(entry.name)}`: {entry.note}" for entry in CATALOGUE),
        ]
    )


def _markdown(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [f"| name | {' | '.join(heads)} |", "|---|" + "--:|" * len(heads)]
    for name, *cells in rows:
        shown = [f"{cell:.1f}" if isinstance(cell, float) else str(cell or "–") for cell in cells]
        lines.append(f"| `{_short(str(name))}` | {' | '.join(shown)} |")
    return "\n".join(lines)


def _short(name: str) -> str:
    return name.removeprefix("open_clip:")
