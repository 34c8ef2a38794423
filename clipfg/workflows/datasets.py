"""What there is to know of data sets, and pictures drawn from the built-in one."""

import csv
from pathlib import Path
from typing import Any

from clipfg.data import synthflora
from clipfg.data.catalogue import DATASETS
from clipfg.data.loading import load_dataset
from clipfg.settings import Settings
from clipfg.types import ClassList

CLASS_FILE = "classes.csv"


def dataset_rows(settings: Settings) -> list[dict[str, Any]]:
    """A row per data set of the catalogue."""
    rows = []
    for name in DATASETS:
        card = DATASETS.get(name)
        where = card.locate(settings.data_root)
        on_disk = str(where) if where else ("built in" if not card.layout else "no")
        rows.append(
            {
                "name": name,
                "what": card.domain,
                "classes": card.classes,
                "pictures": card.images,
                "on_disk": on_disk,
                "licence": card.licence,
            }
        )
    return rows


def dataset_facts(settings: Settings) -> list[dict[str, Any]]:
    """One data set as rows of (fact, value): the card's where there is one, and what is here."""
    assert settings.dataset is not None
    facts: list[tuple[str, Any]] = []
    if settings.dataset in DATASETS:
        card = DATASETS.get(settings.dataset)
        facts += [
            ("title", card.title),
            ("source", card.url),
            ("licence", card.licence),
            ("official splits", ", ".join(f"{k} {v:,}" for k, v in card.splits.items())),
            ("prompts", card.prompts),
        ]
        if card.layout and card.locate(settings.data_root) is None:
            facts += [("on disk", "no"), ("how to get it", card.how_to_get)]
            return [{"fact": fact, "value": value} for fact, value in facts]
    manifest = load_dataset(settings.dataset, data_root=settings.data_root)
    facts.append(("pictures here", f"{len(manifest):,} of {manifest.expected or len(manifest):,}"))
    facts += [(f"split {name}", f"{count:,}") for name, count in manifest.splits.items()]
    if manifest.classes:
        facts.append(("classes", f"{len(manifest.classes):,}"))
        facts.append(("names", ", ".join(manifest.classes.names)))
    return [{"fact": fact, "value": value} for fact, value in facts]


def draw_synthflora(folder: Path, count: int, size: int, seed: int) -> list[Path]:
    """Draw test pictures into `folder`, with the class list that `clipfg predict` reads."""
    pictures = synthflora.export(folder, n=count, size=size, seed=seed)
    class_file = folder / CLASS_FILE
    _write_class_file(synthflora.classes(), class_file)
    return [*pictures, class_file]


def _write_class_file(classes: ClassList, path: Path) -> None:
    width = max((len(texts) for texts in classes.texts.values()), default=0)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "parent", *["text"] * width])
        for name in classes.names:
            writer.writerow([name, classes.parents.get(name, ""), *classes.texts.get(name, ())])
