"""The captioned flowers of synthflora as an entry of the catalogue."""

from clipfg.data import synthflora
from clipfg.data.sets.catalogue import DatasetCard

CARD = DatasetCard(
    name="synthflora-captions",
    title="Synthflora with captions, to train on",
    domain="drawn flowers with captions",
    classes=200,
    splits={"train": 4000, "val": 1300, "test": 3000},
    url="",
    licence="Apache-2.0",
    by_hand="It is built in.",
    prompts="synthflora",
    read=lambda _: synthflora.load_captions(),
    class_list=synthflora.classes,
    taxonomy="family > genus > species",
)
