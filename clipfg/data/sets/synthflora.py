"""The built-in synthflora as an entry of the catalogue."""

from clipfg.data import synthflora
from clipfg.data.sets.catalogue import DatasetCard

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
    read=lambda _: synthflora.load(),
    class_list=synthflora.classes,
    taxonomy="family > genus > species",
)
