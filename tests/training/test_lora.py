"""Updates of low rank: nothing at first, and merged to the weights that were computed with."""

import pytest
import torch

from clipfg.errors import UsageError
from clipfg.training.lora import LowRank, add_lora, merge_lora
from tests.training import material

TEXTS = ["a flower", "a red bird"]


@pytest.fixture(params=["clip", "siglip"])  # fused queries, keys and values; and single ones
def encoder(request: pytest.FixtureRequest):
    return request.getfixturevalue(request.param).trainable()


def features(encoder) -> list[torch.Tensor]:
    pixels = torch.arange(3 * 32 * 32).remainder(251).to(torch.uint8).view(1, 3, 32, 32)
    with torch.no_grad():
        images, _ = encoder.image_tower(encoder.inputs(pixels))
        return [images, encoder.text_tower(TEXTS)]


def test_it_begins_as_the_model_that_it_was(encoder) -> None:
    before = features(encoder)
    add_lora(encoder.model, 2)
    for old, new in zip(before, features(encoder), strict=True):
        assert new.equal(old)


def test_merging_keeps_every_bit_and_leaves_a_plain_model(encoder) -> None:
    names = encoder.model.state_dict().keys()
    before = features(encoder)
    add_lora(encoder.model, 2)
    torch.manual_seed(0)
    with torch.no_grad():
        for module in encoder.model.modules():
            if isinstance(module, LowRank):
                module.up.normal_()
    trained = features(encoder)
    merge_lora(encoder.model)
    assert encoder.model.state_dict().keys() == names
    assert not any(isinstance(module, LowRank) for module in encoder.model.modules())
    for old, new, merged in zip(before, trained, features(encoder), strict=True):
        assert not torch.allclose(old, new)
        assert merged.equal(new)


@pytest.mark.parametrize("parts", [1, 3])
def test_each_part_is_a_product_of_its_own(parts) -> None:
    torch.manual_seed(0)
    weight = torch.randn(6, 5)
    update = LowRank(weight, 2, parts)
    with torch.no_grad():
        update.up.normal_()
    wanted = weight.clone()
    rows = 6 // parts
    for part in range(parts):
        product = update.up[part] @ update.down[part] / 2
        assert torch.linalg.matrix_rank(product) <= 2
        wanted[part * rows : (part + 1) * rows] += product
    torch.testing.assert_close(update(weight), wanted)


def test_a_model_without_attention_is_refused() -> None:
    with pytest.raises(UsageError, match="attention"):
        add_lora(torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3)), 2)


def test_a_trained_update_is_kept_in_the_checkpoint(clip, tmp_path) -> None:
    encoder = clip.trainable()
    add_lora(encoder.model, 1)
    with torch.no_grad():
        for module in encoder.model.modules():
            if isinstance(module, LowRank):
                module.up.fill_(0.1)
    trained = features(encoder)
    merge_lora(encoder.model)
    encoder.save(tmp_path / "merged")
    again = material.opened(tmp_path / "merged")
    for old, new in zip(trained, features(again), strict=True):
        assert new.equal(old)
