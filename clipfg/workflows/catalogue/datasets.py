"""What there is to know of data sets, getting them, and images drawn from the built-in one."""

import csv
import logging
import os
from pathlib import Path
from typing import Any

from clipfg.data import synthflora
from clipfg.data.download.pull import pull
from clipfg.data.loading import load_dataset
from clipfg.data.sets.catalogue import DATASETS, DatasetCard
from clipfg.errors import MissingError, UsageError
from clipfg.options import DatasetPullOptions, DatasetShowOptions
from clipfg.paths import expanded
from clipfg.types import Progress
from clipfg.workflows.dataset import hints_of
from clipfg.workflows.understood import facts as read_facts
from clipfg.workflows.understood import sentence

CLASS_FILE = "classes.csv"
DATA_ROOT = Path("data")
"""Where data sets are put unless a folder is named; the first place where they are looked for."""

logger = logging.getLogger(__name__)


def dataset_rows(data_root: Path | None) -> list[dict[str, Any]]:
    """A row per data set of the catalogue."""
    return [
        {
            "name": card.name,
            "what": card.domain,
            "classes": card.classes or None,
            "images": card.images or None,
            "on_disk": _on_disk(card, data_root),
            "licence": card.licence,
        }
        for card in map(DATASETS.get, DATASETS)
    ]


def _on_disk(card: DatasetCard, root: Path | None) -> str:
    if where := card.locate(root):
        return short_path(where, root)
    if not card.layout:
        return "built in"
    return "no (can be pulled)" if card.downloads else "no"


def short_path(path: Path, root: Path | None = None) -> str:
    """`path` as seen from `root`, from the working folder if that is near, or from home."""
    if root is not None and path.is_relative_to(root.absolute()):
        return path.relative_to(root.absolute()).as_posix()
    try:
        relative = os.path.relpath(path)
    except ValueError:  # another drive
        return str(path)
    if not relative.startswith(os.path.join("..", "..", "..")):  # noqa: PTH118
        return relative
    home = expanded("~")
    return f"~/{path.relative_to(home).as_posix()}" if path.is_relative_to(home) else str(path)


def dataset_facts(options: DatasetShowOptions) -> list[dict[str, Any]]:
    """One data set as rows of (fact, value): the card's where there is one, and what is here."""
    if options.dataset is None:
        raise UsageError("Name a data set, or the path of your own data.")
    facts: list[tuple[str, Any]] = []
    base = options.dataset.partition("@")[0]
    card = DATASETS.get(base) if base in DATASETS else None
    if card is not None:
        facts += _card_facts(card)
        where = card.locate(options.data_root)
        facts.append(("on disk", short_path(where) if where else "no" if card.layout else ""))
    if card is not None and card.layout and where is None:
        facts.append(("how to get it", card.how_to_get))
        classes = card.class_list() if card.class_list else None
    else:
        here = load_dataset(
            options.dataset,
            data_root=options.data_root,
            hints=hints_of(options),
            offline=options.offline,
        )
        facts.append(("images here", f"{len(here):,} of {here.expected or len(here):,}"))
        facts.append(("understood as", sentence(here)))
        facts += [(f"split {name}", f"{count:,}") for name, count in here.splits.items()]
        facts += read_facts(here)
        classes = here.classes
    if classes is not None:
        facts += [("classes", f"{len(classes):,}"), ("names", ", ".join(classes.names))]
    return [{"fact": fact, "value": value} for fact, value in facts if value]


def _card_facts(card: DatasetCard) -> list[tuple[str, Any]]:
    sizes = [download.size for download in card.downloads]
    return [
        ("title", card.title),
        ("source", card.url),
        ("licence", card.licence),
        ("splits", ", ".join(f"{k} {v:,}" for k, v in card.splits.items())),
        ("evaluated", card.default_split),
        ("notes", card.notes),
        ("other splits", f"{card.name}@coop" if card.coop else ""),
        ("prompts", card.prompts),
        ("taxonomy", card.taxonomy),
        ("download", f"{sum(sizes) / 1e6:,.1f} MB" if sizes and all(sizes) else ""),
    ]


def pull_dataset(name: str, options: DatasetPullOptions, progress: Progress | None = None) -> Path:
    """Get a data set into `--data-root`, by default `data/`. Raises `UsageError` for others."""
    if name not in DATASETS and name.startswith("hf:"):
        raise UsageError(f"{name} is fetched when it is first used: --dataset {name}.")
    card = DATASETS.get(name)
    if options.offline and card.downloads and card.locate(options.data_root) is None:
        raise MissingError(
            f"Cannot download {card.title} while offline; run again without --offline."
        )
    path = pull(card, options.data_root or DATA_ROOT, progress=progress)
    logger.info(f"{card.title} is in {short_path(path)}. Licence: {card.licence}.")
    return path


def dataset_table() -> str:
    """The catalogue as a Markdown table, for docs/data.md."""
    lines = [
        "| name | what | classes | images | splits | taxonomy | prompts | how to get it |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for card in map(DATASETS.get, DATASETS):
        title = f"[{card.title}]({card.url})" if card.url else card.title
        splits = ", ".join(f"{split} {size:,}" for split, size in card.splits.items())
        name = f"`{card.name}`" + (", `@coop`" if card.coop else "")
        get = f"`clipfg datasets pull {card.name}`" if card.downloads else card.how_to_get
        counts = [f"{number:,}" if number else "–" for number in (card.classes, card.images)]
        cells = [name, title, *counts, splits or "–"]
        cells += [card.taxonomy or "–", f"`{card.prompts}`", get]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def dataset_notes() -> str:
    """Licences, folders and notes of the catalogue as a Markdown list, for docs/data.md."""
    lines = []
    for card in (card for card in map(DATASETS.get, DATASETS) if card.layout):
        shown = ", ".join(f"`{part.partition('|')[0]}`" for part in card.layout)
        notes = f" {card.notes}" if card.notes else ""
        lines.append(
            f"- **{card.name}**: `DATA_ROOT/{card.folders[0]}/` with {shown}."
            f"{notes} Licence: {card.licence}."
        )
    return "\n".join(lines) + "\n"


def draw_synthflora(folder: Path, count: int, size: int, seed: int) -> list[Path]:
    """Draw test images into `folder`, with the class list that `clipfg predict` reads."""
    images = synthflora.export(folder, n=count, size=size, seed=seed)
    classes, path = synthflora.classes(), folder / CLASS_FILE
    width = max((len(texts) for texts in classes.texts.values()), default=0)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "parent", *["text"] * width])
        for name in classes.names:
            writer.writerow([name, classes.parents.get(name, ""), *classes.texts.get(name, ())])
    return [*images, path]
