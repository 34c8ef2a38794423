"""DCLIP as published: the teacher reads phrases of the caption, and learns along."""

from dataclasses import replace

import torch

from clipfg.mining.spans import noun_phrases
from clipfg.training.losses.contrastive import contrastive
from clipfg.training.losses.dclip import dclip
from clipfg.training.recipes import load_recipe
from tests.training import material


def test_the_teacher_reads_crops_and_the_captions_phrases(clip, examples) -> None:
    captions = [("quickly now",), *examples.captions[1:]]  # no noun phrase: it stands for itself
    recipe = load_recipe("dclip", ["batch_size=12"])
    task = material.task_of(recipe, clip, replace(examples, captions=captions))
    batch = material.batches_of(recipe, replace(examples, captions=captions))(0)
    made = task.embed(batch)
    loss = task.losses(made, batch)["dclip"]

    teacher = []
    for item, (row, caption) in enumerate(zip(batch.rows.tolist(), batch.captions, strict=True)):
        spans = noun_phrases(caption) or [caption]
        crops = made["crops"][item][made["crop_mask"][item]]
        assert len(crops) == len(examples.pixels.boxes[row])
        read = material.frozen_texts(clip, spans)
        every = [torch.ones(1, len(part), dtype=torch.bool) for part in (crops, read)]
        teacher.append(task.terms["dclip"].teacher(crops[None], read[None], *every)[0])
    frozen = material.frozen_texts(clip, batch.captions)
    rows = torch.stack(teacher)
    wanted = dclip(made["images"], made["captions"], rows, frozen, 0.05)["loss"]
    wanted = wanted + contrastive(rows, frozen, 1 / 0.05, batch.also_true)
    torch.testing.assert_close(loss, wanted)

    loss.backward()
    assert all(w.grad is not None for w in task.terms["dclip"].teacher.parameters())
