"""SigLIP's loss with an encoder's own offset, and with that of a softmax."""

import torch

from clipfg.training.losses.sigmoid import sigmoid
from clipfg.training.recipes import load_recipe
from clipfg.training.terms.sigmoid import softmax_offset
from tests.training import material


def embedded(encoder, examples):
    recipe = load_recipe("sigmoid", ["batch_size=12"])
    task = material.task_of(recipe, encoder, examples)
    batch = material.batches_of(recipe, examples)(0)
    made = task.embed(batch)
    return task.student, made, batch, task.losses(made, batch)["sigmoid"]


def test_an_encoder_with_an_offset_keeps_it(siglip, siglip_examples) -> None:
    student, made, batch, loss = embedded(siglip, siglip_examples)
    wanted = sigmoid(
        made["images"],
        made["captions"],
        siglip.logit_scale,
        siglip.logit_bias,
        batch.also_true,
    )
    torch.testing.assert_close(loss, wanted)
    assert student.bias.shape == ()


def test_else_the_offset_is_what_a_softmax_subtracts(clip, examples) -> None:
    student, made, _, loss = embedded(clip, examples)
    assert student.bias is None
    assert loss.isfinite()
    logits = clip.logit_scale * made["images"] @ made["captions"].T
    offset = softmax_offset(made["images"], made["captions"], student.scale)
    torch.testing.assert_close(offset, -logits.exp().sum(1).log().mean())
    assert not offset.requires_grad
