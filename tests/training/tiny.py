"""A tiny encoder, a few noisy pictures with captions, and a loop over them, the same each time."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from clipfg.encoders import load_encoder
from clipfg.training.batches import Batches, Examples, Sampling
from clipfg.training.loop import Loop
from clipfg.training.pixels import Pixels
from clipfg.training.recipes.contrastive import Contrastive
from clipfg.training.student import Student
from clipfg.training.task import Task
from tests.checkpoints import WORDS, open_clip_vit

RECIPE = {"steps": 8, "batch_size": 6, "lr": 1e-3, "checks": 2, "mirror": True, "crop": 0.8}


def examples(count: int) -> Examples:
    """Noise, and captions of three words."""
    noise = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (count, 3, 32, 32), generator=noise, dtype=torch.uint8)
    none = (torch.zeros(0, 4),) * count
    pixels = Pixels(images, torch.arange(count), none, tuple(bytes([i]) for i in range(count)))
    captions = [(f"{WORDS[i % 7]} {WORDS[i % 11]} {WORDS[i % 13]}",) for i in range(count)]
    labels = torch.arange(count) % 3
    return Examples(pixels, labels, captions)


def tiny_loop(
    folder: Path,
    *,
    count: int = 14,
    validate: Callable[[Task], float] | None = None,
    state: Path | None = None,
    report: Callable[[int, dict[str, float]], None] | None = None,
    bf16: bool = False,
    frozen_texts: Callable[..., torch.Tensor] | None = None,
    constants: dict[str, torch.Tensor] | None = None,
    **changes: Any,
) -> Loop:
    """A loop; `validate` is given its task, and by default measures how small a loss is."""
    recipe = Contrastive(**RECIPE | changes)
    if not folder.exists():
        open_clip_vit(folder)
    encoder = load_encoder(str(folder), precision="fp32", device="cpu")
    data = replace(examples(count), constants=constants or {})
    student = Student(encoder, recipe.trains, recompute=recipe.recompute, frozen_texts=frozen_texts)
    task = Task.of(recipe, student, data, encoder.encode_texts, 0)
    batches = Batches(data, Sampling.of(recipe, 3, task.needs))
    measure = validate or (lambda task: -_loss(task, batches))
    return Loop(task, batches, recipe, lambda: measure(task), state=state, bf16=bf16, report=report)


def _loss(task: Task, batches: Batches) -> float:
    batch = batches(0)
    with torch.no_grad():
        return task.losses(task.embed(batch), batch)["loss"].item()


def weights(loop: Loop) -> dict[str, torch.Tensor]:
    """What the loop trains, as it is now."""
    return {name: weight.detach().clone() for name, weight in loop.trained.items()}
