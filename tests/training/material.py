"""A tiny encoder, a dozen drawn flowers with all that any loss needs, and tasks made of them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import normalize

from clipfg.data import synthflora
from clipfg.data.synthflora.captions import descriptions
from clipfg.data.synthflora.taxonomy import species
from clipfg.encoders import load_encoder
from clipfg.encoders.checkpoint import CheckpointEncoder
from clipfg.mining.negatives import mine_negatives
from clipfg.training.batches import Batches, Examples, Sampling
from clipfg.training.gradients import Gradients
from clipfg.training.loop import Loop
from clipfg.training.pixels import load_pixels
from clipfg.training.recipes import Recipe
from clipfg.training.student import Student
from clipfg.training.task import Task
from clipfg.training.teacher import distillation_targets, embedded, region_features
from clipfg.types import Manifest
from tests import checkpoints

CLASSES = 4


def tiny_clip(folder: Path) -> Path:
    """CLIP's shape in open_clip's layout, with room for whole captions."""
    folder.mkdir(parents=True)
    checkpoints.bpe_file(folder / "bpe.txt.gz")
    config = checkpoints.open_clip_config()
    config["text_cfg"]["context_length"] = 128
    return checkpoints.save_open_clip(folder, config)


def opened(folder: Path) -> CheckpointEncoder:
    """The encoder of a folder."""
    encoder = load_encoder(str(folder), precision="fp32", device="cpu")
    assert isinstance(encoder, CheckpointEncoder)
    return encoder


def flowers(each: int = 3) -> Manifest:
    """Images of the first classes, with their parts."""
    manifest = synthflora.load()
    rows = [16 * label + number for label in range(CLASSES) for number in range(each)]
    return synthflora.with_regions(replace(manifest, table=manifest.table.take(rows)))


def frozen_texts(encoder: CheckpointEncoder, texts: Sequence[str]) -> Tensor:
    """Unit-norm features."""
    return normalize(encoder.encode_texts(list(texts)), dim=-1)


def examples_of(encoder: CheckpointEncoder, manifest: Manifest) -> Examples:
    """All that a loss may need of some flowers; the last is of no known class."""
    labels = torch.from_numpy(manifest.labels.astype("int64"))
    labels[-1] = -1
    regions = manifest.column("regions") or ()
    captions = [(*own, f"a flower, {own[0]}") for own in manifest.column("captions") or ()]
    negatives: list[dict[str, tuple[str, ...]]] = [{} for _ in captions]
    for one in mine_negatives(captions):
        negatives[one.item][one.true] = tuple(other.text for other in one.negatives)
    phrases = [tuple(part["phrase"] for part in own) for own in regions]
    vocabulary = tuple(dict.fromkeys(text for own in phrases for text in own))
    whole = embedded(manifest, encoder, None)
    crops, mask = region_features(manifest, encoder, None)
    return Examples(
        load_pixels(manifest, encoder.preprocessing),
        labels,
        captions,
        [descriptions(kind.traits) for kind in species()[:CLASSES]],
        phrases,
        negatives,
        vocabulary,
        distillation_targets(whole, crops, mask, frozen_texts(encoder, vocabulary)),
    )


def task_of(recipe: Recipe, encoder: CheckpointEncoder, examples: Examples, seed: int = 0) -> Task:
    """A student of the encoder and the recipe's terms."""
    student = Student(encoder, recipe.trains, recompute=recipe.recompute, seed=seed)
    return Task.of(recipe, student, examples, lambda texts: frozen_texts(encoder, texts), seed)


def batches_of(recipe: Recipe, examples: Examples, seed: int = 0) -> Batches:
    """The batches of the recipe."""
    everything = frozenset({"regions", "negatives"})
    return Batches(examples, Sampling.of(recipe, seed, everything))


def loop_of(task: Task, batches: Batches, recipe: Recipe) -> Loop:
    """A training run that never stops early."""
    values = iter(range(1000))
    return Loop(task, batches, recipe, lambda: float(next(values)))


def gradients_of(task: Task, batches: Batches, recipe: Recipe) -> dict[str, Tensor]:
    """Of the first batch."""
    torch.manual_seed(0)
    Gradients(task, recipe.micro_batch)(batches(0))
    return {n: w.grad.clone() for n, w in task.trained().items() if w.grad is not None}
