"""A student makes of a batch what its encoder makes of the same images and texts."""

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import normalize

from clipfg.training.batches import Batches, Sampling
from clipfg.training.student import TEXTS, Student
from tests import checkpoints
from tests.training import material

NEEDS = frozenset({"images", "views", "patches", "regions", *TEXTS})
HOW = Sampling(batch_size=7, seed=0, views=2, mirror=True, crop=0.7, regions=3, negatives=2)


@pytest.fixture(params=["clip", "siglip"])
def encoder(request: pytest.FixtureRequest):
    return request.getfixturevalue(request.param)


def of_texts(encoder, rows, path="short") -> torch.Tensor:
    """Text by text."""
    found = [torch.stack([encoder.encode_texts([text], path)[0] for text in row]) for row in rows]
    return normalize(torch.stack(found), dim=-1)


def test_embeddings_are_the_encoders_own(encoder, examples) -> None:
    batch = Batches(replace(examples, constants={}), HOW)(0)
    made = Student(encoder, "all")(batch, NEEDS)
    features = encoder.encode_images(batch.images(), patches=True)

    def close(name, wanted) -> None:
        torch.testing.assert_close(made[name], wanted, atol=1e-5, rtol=1e-4)

    close("images", normalize(features.pooled, dim=-1))
    close("patches", features.patches)
    close("views", normalize(encoder.encode_images(batch.images(1)).pooled, dim=-1)[:, None])
    regions = encoder.encode_regions(batch.images(), list(batch.boxes), features=features)
    close("regions", normalize(torch.stack(regions), dim=-1))
    assert made["regions"][batch.valid].any(dim=-1).all()
    for name in ("phrases", "negatives", "sentences"):
        close(name, of_texts(encoder, getattr(batch, name)))
    close("captions", of_texts(encoder, [batch.captions])[0])
    close("titles", of_texts(encoder, [batch.titles])[0])
    close("long", of_texts(encoder, [batch.long_captions])[0])
    assert made.keys() == NEEDS


def test_only_what_is_needed_is_made(clip, examples) -> None:
    student = Student(clip, "all")
    batch = Batches(examples, replace(HOW, views=1))(0)
    assert student(batch, frozenset({"captions", "views"})).keys() == {"captions"}
    made = student(batch, frozenset({"images", "targets"}))
    assert made.keys() == {"images", "targets"}
    assert made["targets"].equal(batch.constants()["targets"])


def test_frozen_towers_keep_no_graph(clip, examples) -> None:
    batch = Batches(examples, HOW)(0)
    for parts, images, texts in (
        ("images", True, False),
        ("texts", False, True),
        ("all", True, True),
    ):
        made = Student(clip, parts)(batch, NEEDS)
        assert made["images"].requires_grad == made["regions"].requires_grad == images
        assert made["captions"].requires_grad == texts


def test_scale_and_bias_are_the_models(encoder) -> None:
    student = Student(encoder, "all + scale")
    assert student.scale.item() == pytest.approx(encoder.logit_scale)
    student.scale.backward()
    assert student.towers.logit_scale.grad.item() == pytest.approx(encoder.logit_scale)
    bias = student.bias
    assert (0.0 if bias is None else bias.item()) == pytest.approx(encoder.logit_bias)


def test_towers_stay_in_evaluation_mode(clip) -> None:
    student = Student(clip, "all").train()
    assert not any(module.training for module in student.modules())


@pytest.mark.parametrize("kind", ["clip", "open-clip-vit", "siglip", "chinese-clip", "fgclip-1"])
def test_images_are_cut_into_as_many_patches_as_are_counted(kind, tmp_path) -> None:
    encoder = material.opened(checkpoints.EVERY[kind](tmp_path / kind))
    pixels = torch.zeros(1, 3, *encoder.preprocessing.size, dtype=torch.uint8)
    patches = encoder.encode_images(pixels, patches=True).patches
    assert Student(encoder, "all").tokens == patches.shape[1]
