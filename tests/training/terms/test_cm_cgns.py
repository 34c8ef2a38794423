"""CM-CGNS: centroids that follow and resume, patches of pixels, both answers to false negatives."""

import pytest
import torch

from clipfg.training.losses.centroids import Centroids
from clipfg.training.recipes import load_recipe
from clipfg.training.terms.cm_cgns import in_patches
from tests.training import material


def losses_of(changes, encoder, examples):
    recipe = load_recipe("cm-cgns", ["batch_size=12", "clusters=5", *changes])
    task = material.task_of(recipe, encoder, examples)
    batch = material.batches_of(recipe, examples)(0)
    made = task.embed(batch)
    torch.manual_seed(1)
    return task, batch, made, task.losses(made, batch)["cm-cgns"].item()


def test_centroids_begin_with_the_first_batch_and_follow(clip, examples) -> None:
    task, batch, made, _ = losses_of(["momentum=0.25"], clip, examples)
    term = task.terms["cm-cgns"]
    rows = [
        made["sentences"][i, k]
        for i, own in enumerate(batch.sentences)
        for k, text in enumerate(own)
        if text
    ]
    before = Centroids.start(torch.stack(rows).detach(), 5)
    torch.testing.assert_close(term.centroids, before.moved(torch.stack(rows), 0.25).rows)
    assert term.started

    other, *_ = losses_of([], clip, examples)
    other.terms.load_state_dict(dict(task.terms.named_buffers()), strict=False)
    assert other.terms["cm-cgns"].centroids.equal(term.centroids)


def test_numbers_reach_the_loss(clip, examples) -> None:
    found = [
        losses_of(changes, clip, examples)[-1]
        for changes in ([], ["false_negatives=margin"], ["reconstruction=0"], ["clusters=3"])
    ]
    assert len({round(value, 5) for value in found}) == 4


def test_what_is_rebuilt_depends_on_what_was_dropped(clip, examples) -> None:
    task, batch, made, first = losses_of([], clip, examples)
    again = losses_of([], clip, examples)[-1]
    assert first == again
    torch.manual_seed(2)
    assert task.losses(made, batch)["cm-cgns"].item() != pytest.approx(first, abs=1e-7)


@pytest.mark.parametrize(("height", "width", "side"), [(8, 8, 4), (6, 9, 3), (7, 7, 3)])
def test_patches_are_squares_row_by_row(height, width, side) -> None:
    images = torch.arange(2.0 * 3 * height * width).view(2, 3, height, width)
    rows, columns = height // side, width // side
    found = in_patches(images, rows * columns)
    for place in range(rows * columns):
        top, left = place // columns * side, place % columns * side
        square = images[:, :, top : top + side, left : left + side]
        assert found[:, place].equal(square.flatten(1))
