"""The built-in synthflora as an entry of the catalogue."""

from pathlib import Path

from clipfg.data.sets.catalogue import DatasetCard
from clipfg.types import ClassList, Manifest


def read(_: Path) -> Manifest:
    """The drawn data set; it needs no folder."""
    from clipfg.data import synthflora

    return synthflora.load()


def class_list() -> ClassList:
    """The 200 species, with genera and families."""
    from clipfg.data import synthflora

    return synthflora.classes()


CARD = DatasetCard(
    name="synthflora",
    title="Synthflora, drawn on demand",
    domain="drawn flowers",
    classes=200,
    splits={"train": 3200, "val": 800, "test": 2000},
    url="",
    licence="Apache-2.0",
    by_hand="It is built in.",
    prompts="synthflora",
    read=read,
    class_list=class_list,
    taxonomy="family > genus > species",
)
