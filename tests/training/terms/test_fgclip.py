"""FG-CLIP's second stage: which texts go which way, whose scales, and the margin between steps."""

import torch
from torch.nn.functional import normalize

from clipfg.training.batches import FALSE_PHRASES
from clipfg.training.losses.fgclip1 import fgclip1
from clipfg.training.losses.fgclip2 import fgclip2
from clipfg.training.recipes import load_recipe
from tests import checkpoints
from tests.training import material

RECIPE = load_recipe("fgclip", ["batch_size=12", "crop=1", "mirror=false"])


def embedded(encoder, examples):
    task = material.task_of(RECIPE, encoder, examples)
    batch = material.batches_of(RECIPE, examples)(0)
    return task, batch, task.embed(batch)


def arguments(batch, made):
    """Of the losses, taken from the batch by plain loops."""
    false = made["false_phrases"].view(12, 4, FALSE_PHRASES, -1)
    names: dict[str, int] = {}
    ids = torch.full((12, 4, 1 + FALSE_PHRASES), -1)
    for i in range(12):
        for r in range(4):
            own = batch.examples.false_phrases[batch.rows[i]].get(batch.phrases[i][r], ())
            for k, text in enumerate([batch.phrases[i][r], *own]):
                if text:
                    ids[i, r, k] = names.setdefault(text, len(names))
    mask = batch.valid & (ids[..., 0] >= 0)
    rows = (made[name] for name in ("images", "long", "captions", "regions", "phrases"))
    return (*rows, false, mask), ids


def test_version_1_for_an_encoder_scored_by_a_softmax(clip, examples) -> None:
    task, batch, made = embedded(clip, examples)
    rows, ids = arguments(batch, made)
    assert (ids[..., 1:] >= 0).any()
    wanted = fgclip1(
        *rows,
        *[clip.logit_scale] * 3,
        false_mask=ids[..., 1:] >= 0,
        phrase_ids=ids[..., 0],
    )["loss"]
    loss = task.losses(made, batch)["fgclip"]
    torch.testing.assert_close(loss, wanted)
    loss.backward()
    scales = [w for name, w in task.trained().items() if "scales" in name]
    assert len(scales) == 2
    assert all(scale.grad.abs() > 0 for scale in scales)


def test_version_2_for_one_scored_by_a_sigmoid(siglip, siglip_examples) -> None:
    task, batch, made = embedded(siglip, siglip_examples)
    rows, ids = arguments(batch, made)
    scale, margin = siglip.logit_scale, 0.0
    for _ in range(2):  # the second step gets the margin of the first
        found = fgclip2(
            *rows,
            scale,
            siglip.logit_bias,
            scale,
            scale,
            margin=margin,
            false_mask=ids[..., 1:] >= 0,
            ids=ids,
        )
        torch.testing.assert_close(task.losses(made, batch)["fgclip"], found["loss"])
        margin = found["margin"]
        torch.testing.assert_close(task.terms["fgclip"].margin, margin.detach())
    assert "fgclip.margin" in dict(task.terms.named_buffers())


def test_long_captions_take_the_long_path(tmp_path) -> None:
    encoder = material.opened(checkpoints.fgclip1(tmp_path / "fgclip"))
    examples = material.examples_of(encoder, material.flowers(each=2))
    recipe = load_recipe("fgclip", ["batch_size=8"])
    task = material.task_of(recipe, encoder, examples)
    batch = material.batches_of(recipe, examples)(0)
    made = task.embed(batch)
    longest = [max(examples.captions[row], key=len) for row in batch.rows.tolist()]
    assert list(batch.long_captions) == longest
    torch.testing.assert_close(made["long"], normalize(encoder.encode_texts(longest, "long")))
    torch.testing.assert_close(
        made["captions"], normalize(encoder.encode_texts(batch.captions, "short"))
    )
    assert not list(task.terms.parameters())  # the encoder has scales of its own
    task.losses(made, batch)["fgclip"].backward()
    assert task.student.towers.logit_scale_hardneg.grad is not None
