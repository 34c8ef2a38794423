"""The curated encoders, with what of them is on disk."""

from typing import Any

from clipfg.encoders.catalogue import CATALOGUE, DEFAULT_MODEL, FGOVD
from clipfg.encoders.loading import is_on_disk

ACCURACIES = ("flowers", "pets", "cars", "aircraft", "food")
"""Short for `catalogue.DATASETS`, in its order."""


def model_rows() -> list[dict[str, Any]]:
    """A row per encoder; accuracies are others' published figures, None where not verified."""
    return [
        {
            "name": entry.name,
            "default": entry.name == DEFAULT_MODEL,
            "M": round(entry.parameters),
            "px": entry.image_size,
            "licence": entry.licence,
            **dict(zip(ACCURACIES, entry.accuracy, strict=True)),
            **{f"fgovd_{part}": v for part, v in zip(FGOVD, entry.fgovd, strict=True)},
            "on_disk": is_on_disk(entry.name),
            "note": entry.note,
        }
        for entry in CATALOGUE
    ]
