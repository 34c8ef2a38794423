"""Several pictures of each plant as an entry of the catalogue."""

from clipfg.data import synthflora
from clipfg.data.sets.catalogue import DatasetCard

CARD = DatasetCard(
    name="synthflora-plants",
    title="Synthflora, four pictures of each plant",
    domain="drawn flowers, several of a plant",
    classes=200,
    splits={"all": 4800},
    default_split="all",
    url="",
    licence="Apache-2.0",
    by_hand="It is built in.",
    prompts="synthflora",
    read=lambda _: synthflora.load_plants(),
    class_list=synthflora.classes,
    taxonomy="family > genus > species",
    notes="`--group-by group` keeps the pictures of a plant together.",
)
