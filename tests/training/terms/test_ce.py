"""Texts of classes as a classifier, of a frozen text tower and of one in training."""

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import normalize

from clipfg.errors import DataError
from clipfg.training.recipes import load_recipe
from tests.training import material


def losses_of(recipe, encoder, examples):
    task = material.task_of(recipe, encoder, examples)
    batch = material.batches_of(recipe, examples)(0)
    made = task.embed(batch)
    torch.manual_seed(3)
    return task, batch, made, task.losses(made, batch)["ce"]


def plain(images, labels, weights, scale) -> torch.Tensor:
    """The mean of -log softmax over images with a class, one by one."""
    found = []
    for image, label in zip(images, labels, strict=True):
        if label >= 0:
            logits = [scale * image @ normalize(weight, dim=0) for weight in weights]
            found.append(torch.stack(logits).logsumexp(0) - logits[label])
    return torch.stack(found).mean()


def test_frozen_texts_are_averaged(clip, examples) -> None:
    recipe = load_recipe("prolip-encoder")
    task, batch, made, loss = losses_of(recipe, clip, examples)
    assert not task.student.trains_texts
    weights = [material.frozen_texts(clip, own).mean(0) for own in examples.class_texts]
    wanted = plain(made["images"], batch.labels, weights, clip.logit_scale)
    torch.testing.assert_close(loss, wanted)


def test_a_text_tower_in_training_reads_a_text_of_each_class(clip, examples) -> None:
    task, batch, made, loss = losses_of(load_recipe("clip-lora", ["batch_size=12"]), clip, examples)
    assert task.student.trains_texts
    torch.manual_seed(3)
    drawn = [own[int(torch.randint(len(own), ()))] for own in examples.class_texts]
    weights = task.student.encode_texts(drawn)
    torch.testing.assert_close(loss, plain(made["images"], batch.labels, weights, clip.logit_scale))
    loss.backward()
    names = {name for name, w in task.trained().items() if w.grad is not None and w.grad.any()}
    assert any("visual" in name for name in names)
    assert any("visual" not in name for name in names)


def test_classes_without_examples_are_not_seen(clip, examples) -> None:
    more = replace(
        examples,
        class_texts=[("never trained on",), *examples.class_texts, ("nor this",)],
        labels=torch.where(examples.labels < 0, -1, examples.labels + 1),
    )
    recipe = load_recipe("adapter")
    torch.testing.assert_close(
        losses_of(recipe, clip, more)[-1], losses_of(recipe, clip, examples)[-1]
    )


def test_a_class_without_texts_is_refused(clip, examples) -> None:
    bare = replace(examples, class_texts=[("a",), (), ("b",), ("c",)])
    with pytest.raises(DataError, match=r"a text of each class, got none for 1 of 4"):
        material.task_of(load_recipe("adapter"), clip, bare)
