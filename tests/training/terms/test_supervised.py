"""What supcon and varcon see: all views of images with a class."""

from dataclasses import replace

import pytest
import torch

from clipfg.errors import DataError
from clipfg.training.losses.supcon import supcon
from clipfg.training.losses.varcon import varcon
from clipfg.training.recipes import load_recipe
from tests.training import material


@pytest.mark.parametrize("views", [1, 2, 3])
@pytest.mark.parametrize(("name", "loss"), [("supcon", supcon), ("varcon", varcon)])
def test_all_views_of_images_with_a_class(clip, examples, name, loss, views) -> None:
    recipe = load_recipe(name, [f"losses={name}", f"views={views}", "batch_size=12"])
    task = material.task_of(recipe, clip, examples)
    batch = material.batches_of(recipe, examples)(0)
    assert (batch.labels == -1).sum() == 1
    made = task.embed(batch)
    rows, labels = [], []
    for row, label in enumerate(batch.labels.tolist()):
        for view in range(views):
            seen = made["images"] if view == 0 else made["views"][:, view - 1]
            if label >= 0:
                rows.append(task.terms[name].head(seen[row]))
                labels.append(label)
    wanted = loss(torch.stack(rows), torch.tensor(labels), 0.1)
    torch.testing.assert_close(task.losses(made, batch)[name], wanted)
    if views > 1:
        pixels = task.student.encode_images(batch.images(1))
        torch.testing.assert_close(
            made["views"][:, 0], torch.nn.functional.normalize(pixels, dim=-1)
        )


def test_numbers_of_another_recipe_are_the_defaults(clip, examples) -> None:
    changed = load_recipe("varcon", ["epsilon=0.05"])
    other = load_recipe("contrastive", ["losses=varcon"])
    epsilon = [
        material.task_of(how, clip, examples).terms["varcon"].epsilon for how in (changed, other)
    ]
    assert epsilon == [0.05, 0.02]


def test_one_class_is_refused(clip, examples) -> None:
    one = replace(examples, labels=torch.zeros_like(examples.labels))
    for name in ("supcon", "varcon", "flyp", "clip-lora", "prolip-encoder"):
        with pytest.raises(DataError, match=r"two classes or more.*got 1"):
            material.task_of(load_recipe(name), clip, one)
