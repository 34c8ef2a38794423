"""Prototypes that patches show, in a batch taken apart by hand."""

from dataclasses import replace

import torch

from clipfg.training.recipes import load_recipe
from tests.training import material

RECIPE = load_recipe(
    "patch-prototypes", ["prototypes=5", "losses=patch-prototypes", "batch_size=12"]
)


def batch_of(clip, examples):
    task = material.task_of(RECIPE, clip, examples)
    batch = material.batches_of(RECIPE, examples)(0)
    return task, batch, task.embed(batch)


def test_the_loss_is_that_of_a_loop(clip, examples) -> None:
    task, batch, made = batch_of(clip, examples)
    term = task.terms["patch-prototypes"]
    known = [row for row, label in enumerate(batch.labels.tolist()) if label >= 0]
    assert 2 <= len(known) < len(batch)
    side = round(made["patches"].shape[1] ** 0.5)
    views = [made["patches"], made["mirrored"].unflatten(1, (side, side)).flip(2).flatten(1, 2)]
    rows = torch.cat([view[known] for view in views]).flatten(0, 1) @ term.filters.T
    mean, spread = rows.mean(dim=0), (rows.var(dim=0, correction=0) + 1e-5).sqrt()
    scores = ((rows - mean) / spread * 3 - 3).relu().unflatten(0, (2, len(known), -1))
    one, other = scores.softmax(dim=3)
    total = -(one * other).sum(dim=2).log().mean() * 0.01
    for shares, shown in zip((one, other), scores.mean(dim=2), strict=True):
        evidence = shown @ term.weights.T
        chosen = [
            evidence[at].softmax(0)[int(batch.labels[row])].log() for at, row in enumerate(known)
        ]
        total = total - torch.stack(chosen).mean()
        total = total - 0.01 * shares.amax(dim=1).sum(dim=0).tanh().log().mean() / 2
    loss = task.losses(made, batch)["patch-prototypes"]
    torch.testing.assert_close(loss, total, rtol=1e-4, atol=1e-5)


def test_the_second_view_is_the_mirror_image(clip, examples) -> None:
    task, batch, made = batch_of(clip, examples)
    turned = replace(
        batch, shown=tuple(replace(one, mirrored=~one.mirrored) for one in batch.shown), ready=None
    )
    again = task.embed(turned)
    torch.testing.assert_close(again["patches"], made["mirrored"])


def test_the_last_block_learns_and_the_first_does_not(clip, examples) -> None:
    task, batch, made = batch_of(clip, examples)
    task.losses(made, batch)["loss"].backward()
    learnt = {name for name, w in task.trained().items() if w.grad is not None and w.grad.any()}
    assert any("resblocks.1" in name for name in learnt)
    assert not any("resblocks.0" in name for name in learnt)
