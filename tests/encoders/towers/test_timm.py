"""Patches of timm's towers, as open_clip holds them, against a straight-line computation."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

from clipfg.encoders.towers.open_clip import open_clip_tower
from tests import checkpoints
from tests.encoders.towers import straight

SIZE = {"img_size": (24, 40), "patch_size": 8, "embed_dim": 32, "depth": 3, "num_heads": 2}
NAMES = {"norm1": "ln1", "attn.proj": "out", "norm2": "ln2", "mlp.fc1": "fc1", "mlp.fc2": "fc2"}
NAMES |= {"ls1": "ls1", "ls2": "ls2"}
HEAD = {"proj": "out", "norm": "ln2", "mlp.fc1": "fc1", "mlp.fc2": "fc2"}


def tower_of(trunk: nn.Module, head: nn.Module | None = None) -> tuple[Any, Any]:
    """A trunk in open_clip's adapter, with random numbers where a fresh one has zeros and ones."""
    checkpoints.open_clip_library()
    from open_clip.timm_model import TimmModel

    visual = TimmModel.__new__(TimmModel)
    nn.Module.__init__(visual)
    visual.trunk, visual.head = trunk, head or nn.Sequential()
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in visual.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    visual.eval().requires_grad_(False)
    return visual, open_clip_tower(visual, visual)


def vit(**changes: Any) -> nn.Module:
    from timm.models.vision_transformer import VisionTransformer

    return VisionTransformer(**SIZE, **{"num_classes": 16} | changes)


def eva(**changes: Any) -> nn.Module:
    from timm.models.eva import Eva

    return Eva(**SIZE, **{"num_classes": 16, "global_pool": "token"} | changes)


def trunk_tokens(trunk: Any, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Before and after the last block."""
    seen: list[torch.Tensor] = []
    handle = trunk.blocks[-1].register_forward_hook(lambda _, x, y: seen.extend([x[0], y]))
    trunk.forward_features(pixels)
    handle.remove()
    return seen[0], seen[1]


TOKEN = {
    "class token": {},
    "registers, q and k norm, layer scale": {"reg_tokens": 2, "qk_norm": True, "init_values": 0.5},
    "no bias": {"qkv_bias": False},
}


@pytest.mark.parametrize("kind", TOKEN)
def test_a_class_tokens_patches_take_the_value_path(kind: str) -> None:
    trunk = vit(global_pool="token", **TOKEN[kind])
    visual, tower = tower_of(trunk)
    pixels = torch.randn(2, 3, 24, 40)
    pooled, patches = tower.dense(pixels)
    w = trunk.state_dict()
    before, _ = trunk_tokens(trunk, pixels)
    last = straight.canonical(straight.part(w, "blocks.2."), NAMES, "attn.qkv.")
    tokens = straight.value_path(before, last, trunk.norm.eps)
    normed = straight.norm(tokens[:, tower.prefix :], w, "norm", trunk.norm.eps)
    assert patches.shape == (2, 15, 16)
    torch.testing.assert_close(patches, straight.linear(normed, w, "head"), atol=1e-5, rtol=1e-5)
    assert torch.equal(pooled, visual(pixels))


def test_siglips_patches_take_the_attention_pool_alone() -> None:
    trunk = vit(global_pool="map", class_token=False, num_classes=0)
    visual, tower = tower_of(trunk)
    pixels = torch.randn(2, 3, 24, 40)
    pooled, patches = tower.dense(pixels)
    w, eps = trunk.state_dict(), trunk.norm.eps
    _, after = trunk_tokens(trunk, pixels)
    pool = straight.part(w, "attn_pool.")
    pool["v.weight"], pool["v.bias"] = (pool[f"kv.{k}"].chunk(2)[1] for k in ("weight", "bias"))
    expected = straight.attention_pool_alone(
        straight.norm(after, w, "norm", eps), straight.canonical(pool, HEAD), straight.gelu, eps
    )
    torch.testing.assert_close(patches, expected, atol=1e-5, rtol=1e-5)
    assert torch.equal(pooled, visual(pixels))


@pytest.mark.parametrize("fc_norm", [True, False])
def test_an_averages_patches_are_its_tokens(fc_norm: bool) -> None:
    trunk = vit(global_pool="avg", fc_norm=fc_norm)
    visual, tower = tower_of(trunk, nn.Sequential(nn.Linear(16, 8, bias=False)))
    pixels = torch.randn(2, 3, 24, 40)
    pooled, patches = tower.dense(pixels)
    w = visual.state_dict()
    _, after = trunk_tokens(trunk, pixels)
    name = "trunk.fc_norm" if fc_norm else "trunk.norm"
    normed = straight.norm(after[:, 1:], w, name, 1e-6)
    expected = straight.linear(straight.linear(normed, w, "trunk.head"), w, "head.0")
    torch.testing.assert_close(patches, expected, atol=1e-5, rtol=1e-5)
    if not fc_norm:
        torch.testing.assert_close(patches.mean(1), pooled, atol=1e-5, rtol=1e-5)


EVA = {
    "eva02": {"use_rot_pos_emb": True, "swiglu_mlp": True, "scale_mlp": True, "qkv_fused": False},
    "eva01": {"init_values": 0.5},
    "eva02 enormous": {"use_post_norm": True},
}


@pytest.mark.parametrize("kind", EVA)
def test_evas_patches_take_the_value_path(kind: str) -> None:
    trunk = eva(**EVA[kind])
    visual, tower = tower_of(trunk)
    pixels = torch.randn(2, 3, 24, 40)
    pooled, patches = tower.dense(pixels)
    assert torch.equal(pooled, visual(pixels))
    w, eps = trunk.state_dict(), trunk.norm.eps
    last = straight.part(w, "blocks.2.")
    x, _ = trunk_tokens(trunk, pixels)
    post = kind == "eva02 enormous"
    y = x if post else straight.norm(x, last, "norm1", eps)
    if "attn.v_proj.weight" in last:
        y = straight.linear(y, last, "attn.v_proj")
    else:
        y = y @ last["attn.qkv.weight"].chunk(3)[2].T + last["attn.v_bias"]
    y = straight.linear(straight.norm(y, last, "attn.norm", eps), last, "attn.proj")
    y = straight.norm(y, last, "norm1", eps) if post else y * last.get("gamma_1", 1)
    expected = straight.linear(straight.norm(y[:, 1:], w, "norm", eps), w, "head")
    torch.testing.assert_close(patches, expected, atol=1e-5, rtol=1e-5)


def test_the_perception_encoder_gives_a_reason_and_yet_a_trace() -> None:
    _, tower = tower_of(
        eva(global_pool="map", attn_type="rope", use_rot_pos_emb=True, attn_pool_num_heads=2)
    )
    assert "Perception Encoder" in tower.silent
    trace = tower.trace(torch.randn(2, 3, 24, 40))
    assert len(trace.attentions) == 3
    assert trace.pooling is not None


def convnext() -> nn.Module:
    from timm.models.convnext import ConvNeXt

    return ConvNeXt(depths=(1, 1, 1, 1), dims=(8, 8, 16, 24), num_classes=0)


def swin() -> nn.Module:
    from timm.models.swin_transformer import SwinTransformer

    size = {"img_size": 64, "patch_size": 4, "embed_dim": 16, "window_size": 4}
    return SwinTransformer(**size, depths=(1, 1), num_heads=(1, 2), num_classes=0)


def resnet() -> nn.Module:
    from timm.models.resnet import BasicBlock, ResNet

    return ResNet(BasicBlock, (1, 1, 1, 1), num_classes=16)


@pytest.mark.parametrize("make", [convnext, swin, resnet])
def test_cells_of_a_map_are_pooled_alone(make: partial[nn.Module]) -> None:
    trunk = make()
    width = 16 if make is resnet else trunk.num_features
    visual, tower = tower_of(trunk, nn.Sequential(nn.Linear(width, 8, bias=False)))
    pixels = torch.randn(2, 3, 64, 64)
    pooled, patches = tower.dense(pixels)
    assert torch.equal(pooled, visual(pixels))
    w = visual.state_dict()
    cells = trunk.forward_features(pixels)
    cells = cells if make is swin else cells.permute(0, 2, 3, 1)
    cells = straight.norm(cells.flatten(1, 2), w, "trunk.head.norm", 1e-6)
    if make is resnet:
        cells = straight.linear(cells, w, "trunk.fc")
    torch.testing.assert_close(patches, straight.linear(cells, w, "head.0"), atol=1e-5, rtol=1e-5)
    if make is not convnext:  # whose norm comes after its average
        torch.testing.assert_close(patches.mean(1), pooled, atol=1e-5, rtol=1e-5)


def test_other_towers_of_tokens_say_that_they_are_unknown() -> None:
    from timm.models.vision_transformer_relpos import VisionTransformerRelPos

    _, tower = tower_of(VisionTransformerRelPos(**SIZE, num_classes=16))
    assert tower.silent == "its image tower is of an unknown kind (VisionTransformerRelPos)"
