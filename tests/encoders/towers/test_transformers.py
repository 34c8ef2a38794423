"""Patches of transformers' towers against a straight-line computation on their weights."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from clipfg.encoders.towers.transformers import transformers_tower
from tests import checkpoints
from tests.encoders.towers import straight

HEADS, LAYERS, PATCH = 2, 2, 8
NAMES = {"layer_norm1": "ln1", "layer_norm2": "ln2", "mlp.fc1": "fc1", "mlp.fc2": "fc2"}
NAMES |= {f"self_attn.{name}_proj": name for name in "qkv"} | {"self_attn.out_proj": "out"}
VIT_NAMES = {"layernorm_before": "ln1", "layernorm_after": "ln2", "mlp.fc1": "fc1"}
VIT_NAMES |= {"mlp.fc2": "fc2", "attention.o_proj": "out"}
VIT_NAMES |= {f"attention.{name}_proj": name for name in "qkv"}
HEAD = {"layernorm": "ln2", "mlp.fc1": "fc1", "mlp.fc2": "fc2", "attention.out_proj": "out"}
# In double precision, as these weights are so spread that single precision loses four digits.
PIXELS = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0)).double() * 2 - 1

CLIP_LIKE = ["clip", "metaclip-2", "chinese-clip", "altclip"]


def loaded(folder: Path) -> Any:
    from transformers import AutoModel

    return AutoModel.from_pretrained(folder).double().eval().requires_grad_(False)


def patch_rows() -> Tensor:
    """The pixels of each patch, channel by channel `[b, p, 3 * 8 * 8]`."""
    rows = PIXELS.unfold(2, PATCH, PATCH).unfold(3, PATCH, PATCH).permute(0, 2, 3, 1, 4, 5)
    return rows.flatten(3).flatten(1, 2)


def through_blocks(x: Tensor, w: straight.Weights, start: str, names: Any, act: Any, eps: float):
    """The tokens before the last block, after it, and its weights."""
    for number in range(LAYERS):
        own = straight.canonical(straight.part(w, f"{start}.{number}."), names)
        before, x = x, straight.block(x, own, HEADS, act, eps)
    return before, x, own


@pytest.mark.parametrize("kind", CLIP_LIKE)
def test_clips_patches_take_the_value_path(folders: dict[str, Path], kind: str) -> None:
    model = loaded(folders[kind])
    w = straight.part(model.state_dict(), "vision_model.")
    eps = model.config.vision_config.layer_norm_eps
    embedded = patch_rows() @ w["embeddings.patch_embedding.weight"].flatten(1).T
    first = w["embeddings.class_embedding"].expand(3, 1, -1)
    x = torch.cat([first, embedded], 1) + w["embeddings.position_embedding.weight"]
    x = straight.norm(x, w, "pre_layrnorm", eps)
    before, _, last = through_blocks(x, w, "encoder.layers", NAMES, straight.quick_gelu, eps)
    tokens = straight.value_path(before, last, eps)
    normed = straight.norm(tokens[:, 1:], w, "post_layernorm", eps)
    expected = normed @ model.visual_projection.weight.T
    check(model, expected)


def check(model: Any, expected: Tensor) -> None:
    def run(pixels: Tensor) -> Tensor:
        return model.get_image_features(pixel_values=pixels).pooler_output

    tower = transformers_tower(model, run)
    pooled, patches = tower.dense(PIXELS)
    torch.testing.assert_close(patches, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(pooled, run(PIXELS), atol=1e-10, rtol=1e-10)
    assert torch.equal(pooled, tower.pooled(PIXELS))


def test_siglips_patches_take_the_attention_pool_alone(folders: dict[str, Path]) -> None:
    model = loaded(folders["siglip"])
    w, eps = straight.part(model.state_dict(), "vision_model."), 1e-6
    embedded = patch_rows() @ w["embeddings.patch_embedding.weight"].flatten(1).T
    embedded = embedded + w["embeddings.patch_embedding.bias"]
    check(model, pooled_alone(embedded + w["embeddings.position_embedding.weight"], w, eps))


def pooled_alone(x: Tensor, w: straight.Weights, eps: float) -> Tensor:
    _, after, _ = through_blocks(x, w, "encoder.layers", NAMES, straight.gelu_tanh, eps)
    head = straight.canonical(straight.part(w, "head."), HEAD, "attention.in_proj_")
    return straight.attention_pool_alone(
        straight.norm(after, w, "post_layernorm", eps), head, straight.gelu_tanh, eps
    )


def test_siglip_2s_patches_take_the_attention_pool_alone(folders: dict[str, Path]) -> None:
    from torch.nn.functional import interpolate

    model = loaded(folders["siglip2-naflex"])
    w = straight.part(model.state_dict(), "vision_model.")
    rows = PIXELS.unfold(2, PATCH, PATCH).unfold(3, PATCH, PATCH).permute(0, 2, 3, 4, 5, 1)
    rows = rows.flatten(3).flatten(1, 2)
    shape = {
        "pixel_attention_mask": torch.ones(3, 16, dtype=torch.long),
        "spatial_shapes": torch.tensor([[4, 4]] * 3),
    }

    def run(patches: Tensor) -> Tensor:
        return model.get_image_features(pixel_values=patches, **shape).pooler_output

    embedded = straight.linear(rows, w, "embeddings.patch_embedding")
    table = w["embeddings.position_embedding.weight"].T.reshape(1, -1, 3, 3)
    table = interpolate(table, size=(4, 4), mode="bilinear", antialias=True)
    expected = pooled_alone(embedded + table.flatten(2).transpose(1, 2), w, 1e-6)
    pooled, patches = transformers_tower(model, run).dense(rows)
    torch.testing.assert_close(patches, expected, atol=1e-5, rtol=1e-5)
    assert torch.equal(pooled, run(rows))


def test_a_plain_vits_patches_take_the_value_path_and_its_pooler(folders: dict[str, Path]) -> None:
    model = loaded(folders["dual-encoder"])
    w, eps = straight.part(model.state_dict(), "vision_model."), 1e-12
    embedded = patch_rows() @ w["embeddings.patch_embeddings.projection.weight"].flatten(1).T
    embedded = embedded + w["embeddings.patch_embeddings.projection.bias"]
    x = torch.cat([w["embeddings.cls_token"].expand(3, 1, -1), embedded], 1)
    x = x + w["embeddings.position_embeddings"]
    before, _, last = through_blocks(x, w, "layers", VIT_NAMES, straight.gelu, eps)
    tokens = straight.value_path(before, last, eps)[:, 1:]
    pooled = straight.linear(straight.norm(tokens, w, "layernorm", eps), w, "pooler.dense").tanh()
    check(model, pooled @ model.visual_projection.weight.T)


def dual_encoder(vision: Any) -> Any:
    from transformers import BertConfig, BertModel, VisionTextDualEncoderModel

    torch.manual_seed(0)
    text = BertModel(BertConfig(**checkpoints.TEXT))
    model = VisionTextDualEncoderModel(vision_model=vision, text_model=text)
    return model.double().eval().requires_grad_(False)


def test_cells_of_an_averaged_map_are_projected() -> None:
    from transformers import MobileNetV2Config, MobileNetV2Model

    config = MobileNetV2Config(depth_multiplier=0.25, image_size=64)
    config.hidden_size = 1280  # the width of its map
    model = dual_encoder(MobileNetV2Model(config))
    pixels = torch.randn(2, 3, 64, 64).double()

    def run(pixels: Tensor) -> Tensor:
        return model.get_image_features(pixel_values=pixels).pooler_output

    pooled, patches = transformers_tower(model, run).dense(pixels)
    assert patches.shape == (2, 4, 512)
    cell = model.vision_model(pixels).last_hidden_state[:, :, 1, 0]
    expected = cell @ model.visual_projection.weight.T
    torch.testing.assert_close(patches[:, 2], expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(patches.mean(1), pooled, atol=1e-5, rtol=1e-5)
    assert torch.equal(pooled, run(pixels))


def test_a_dual_encoder_projects_what_siglip_pools() -> None:
    from transformers import SiglipVisionConfig, SiglipVisionModel

    model = dual_encoder(SiglipVisionModel(SiglipVisionConfig(**checkpoints.VISION)))
    bare = transformers_tower(nn.ModuleDict({"vision_model": model.vision_model}), _pooled(model))
    whole = transformers_tower(model, _pooled(model))
    expected = bare.dense(PIXELS)[1] @ model.visual_projection.weight.T
    torch.testing.assert_close(whole.dense(PIXELS)[1], expected, atol=1e-5, rtol=1e-5)


def _pooled(model: Any) -> Any:
    return lambda pixels: model.get_image_features(pixel_values=pixels).pooler_output


def test_a_tower_of_an_unknown_kind_says_so() -> None:
    tower = transformers_tower(nn.ModuleDict({"vision_model": nn.Linear(3, 3)}), lambda p: p)
    assert tower.silent == "its image tower is of an unknown kind (Linear)"
