from pathlib import Path

import pytest
import torch

from clipfg.encoders.catalogue import CATALOGUE, DATASETS, DEFAULT_MODEL
from clipfg.encoders.open_clip.files import pretrained_tables
from tests import checkpoints

DOCS = Path(__file__).parents[2] / "docs" / "models.md"


def mean_accuracy(entry) -> float | None:
    known = [value for value in entry.accuracy if value is not None]
    return sum(known) / len(known) if len(known) == len(DATASETS) else None


def table() -> str:
    """The catalogue in Markdown, as docs/models.md shows it: cost, accuracy, notes."""
    cost = [  # float32 weights: four bytes a parameter
        (e.name, round(e.parameters), e.image_size, e.dim, round(4 * e.parameters), e.licence)
        for e in CATALOGUE
    ]
    accuracy = [(e.name, *e.accuracy, mean_accuracy(e)) for e in CATALOGUE]
    return "\n\n".join(
        [
            markdown(("parameters, M", "input", "width", "download, MB", "licence"), cost),
            markdown(("Flowers", "Pets", "Cars", "Aircraft", "Food", "mean"), accuracy),
            "\n".join(f"- `{short(entry.name)}`: {entry.note}" for entry in CATALOGUE),
        ]
    )


def markdown(heads, rows) -> str:
    lines = [f"| name | {' | '.join(heads)} |", "|---|" + "--:|" * len(heads)]
    for name, *cells in rows:
        shown = [f"{cell:.1f}" if isinstance(cell, float) else str(cell or "–") for cell in cells]
        lines.append(f"| `{short(name)}` | {' | '.join(shown)} |")
    return "\n".join(lines)


def short(name: str) -> str:
    return name.removeprefix("open_clip:")


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
def test_an_entry_is_what_open_clip_knows(entry) -> None:
    library = checkpoints.open_clip_library()
    architecture, _, tag = entry.name.removeprefix("open_clip:").rpartition("/")
    assert pretrained_tables().get_pretrained_cfg(architecture, tag)["hf_hub"]
    config = library.get_model_config(architecture)
    assert (config["embed_dim"], config["vision_cfg"]["image_size"]) == (
        entry.dim,
        entry.image_size,
    )
    kind = library.CustomTextCLIP if config.pop("custom_text", False) else library.CLIP
    with torch.device("meta"):
        model = kind(**config)
    millions = sum(parameter.numel() for parameter in model.parameters()) / 1e6
    assert entry.parameters == pytest.approx(millions, abs=0.006)


def test_entries_are_unique_and_complete() -> None:
    assert len({entry.name for entry in CATALOGUE}) == len(CATALOGUE) == 12
    for entry in CATALOGUE:
        assert len(entry.accuracy) == len(DATASETS)
        assert all(value is None or 0 < value < 100 for value in entry.accuracy)


def test_the_default_is_the_best_of_its_cost() -> None:
    default = next(entry for entry in CATALOGUE if entry.name == DEFAULT_MODEL)
    assert default.licence == "Apache-2.0"
    same_cost = [e for e in CATALOGUE if "ViT-B-16" in e.name and e.image_size == 224]
    means = {entry.name: mean_accuracy(entry) or 0 for entry in same_cost}
    assert len(means) > 3
    assert max(means, key=means.__getitem__) == DEFAULT_MODEL


def test_the_documentation_shows_the_table() -> None:
    assert table() in DOCS.read_text()
