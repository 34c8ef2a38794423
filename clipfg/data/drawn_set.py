"""The built-in synthflora as an entry of the catalogue."""

from pathlib import Path

from clipfg.data.catalogue import DatasetCard
from clipfg.types import Manifest


def read(root: Path | None) -> Manifest:
    """The drawn data set; it needs no folder."""
    from clipfg.data import synthflora

    return synthflora.load(root)


CARD = DatasetCard(
    name="synthflora",
    title="Synthflora, drawn on demand",
    domain="drawn flowers",
    classes=200,
    splits={"train": 3200, "val": 800, "test": 2000},
    default_split="test",
    url="",
    licence="Apache-2.0",
    how_to_get="It is built in.",
    prompts="synthflora",
    read=read,
)
