"""Images against texts of their classes."""

import torch

from clipfg.training.recipes import load_recipe
from tests.training import material


def test_texts_of_the_own_class_are_no_negatives(clip, examples) -> None:
    recipe = load_recipe("flyp", ["batch_size=12"])
    task = material.task_of(recipe, clip, examples)
    batch = material.batches_of(recipe, examples)(0)
    for label, text in zip(batch.labels.tolist(), batch.titles, strict=True):
        assert text in examples.class_texts[label] if label >= 0 else text == ""
    made = task.embed(batch)
    known = (batch.labels >= 0).nonzero()[:, 0].tolist()
    logits = clip.logit_scale * made["images"] @ made["titles"].T
    found = []
    for table in (logits, logits.T):
        for i in known:
            others = [j for j in known if j == i or batch.labels[j] != batch.labels[i]]
            found.append(table[i, others].logsumexp(0) - table[i, i])
    torch.testing.assert_close(task.losses(made, batch)["flyp"], torch.stack(found).mean())
