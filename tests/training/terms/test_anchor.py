"""Weights held near those of the base."""

import pytest
import torch

from clipfg.training.recipes import load_recipe
from tests.training import material


def test_squared_distance_over_the_images_a_class(clip, examples) -> None:
    recipe = load_recipe("prolip-encoder")
    task = material.task_of(recipe, clip, examples)
    batch = material.batches_of(recipe, examples)(0)
    made = task.embed(batch)
    assert task.losses(made, batch)["anchor"].item() == 0
    with torch.no_grad():
        task.student.towers.visual.proj[:2, :3] += 0.5
    shots = 11 / 4  # of twelve images one has no class
    assert task.losses(made, batch)["anchor"].item() == pytest.approx(6 * 0.25 / shots)
