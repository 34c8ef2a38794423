"""Patches of open_clip's own towers against a straight-line computation on their weights."""

from typing import Any

import pytest
import torch
from torch import Tensor

from clipfg.encoders.towers.open_clip import open_clip_tower
from tests import checkpoints
from tests.encoders.towers import straight

HEADS = 2
VIT = {"width": 32, "layers": 3, "head_width": 16, "patch_size": 8, "image_size": (24, 40)}
NAMES = {"ln_1": "ln1", "attn.out_proj": "out", "ln_2": "ln2"}
NAMES |= {"mlp.c_fc": "fc1", "mlp.c_proj": "fc2", "ls_1": "ls1", "ls_2": "ls2"}

KINDS: dict[str, dict[str, Any]] = {
    "clip": {},
    "clip with layer scale": {"ls_init_value": 0.5},
    "average": {"pool_type": "avg"},
    "clipa": {"pool_type": "avg", "final_ln_after_pool": True, "no_ln_pre": True},
    "coca": {"attentional_pool": True, "attn_pooler_queries": 5, "attn_pooler_heads": 2},
}


def model(quick_gelu: bool = False, **changes: Any) -> Any:
    torch.manual_seed(len(str(changes)))
    vision = VIT | changes
    config = checkpoints.open_clip_config(vision_cfg=vision, quick_gelu=quick_gelu)
    config["text_cfg"].pop("tokenizer_kwargs")
    made = checkpoints.open_clip_library().CLIP(**config)
    with torch.no_grad():
        for parameter in made.visual.parameters():  # random where a fresh model has zeros and ones
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return made.eval().requires_grad_(False)


def before_last_block(pixels: Tensor, w: straight.Weights, act: object) -> tuple[Tensor, Tensor]:
    """The tokens before the last block and after it."""
    size = w["conv1.weight"].shape[-1]
    rows = pixels.unfold(2, size, size).unfold(3, size, size).permute(0, 2, 3, 1, 4, 5)
    patches = rows.flatten(3).flatten(1, 2) @ w["conv1.weight"].flatten(1).T
    first = w["class_embedding"].expand(len(pixels), 1, -1)
    x = torch.cat([first, patches], 1) + w["positional_embedding"]
    x = straight.norm(x, w, "ln_pre")
    for number in range(VIT["layers"]):
        before, x = x, straight.block(x, weights_of_block(w, number), HEADS, act)
    return before, x


def weights_of_block(w: straight.Weights, number: int) -> straight.Weights:
    block = straight.part(w, f"transformer.resblocks.{number}.")
    return straight.canonical(block, NAMES, "attn.in_proj_")


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_patches_equal_a_straight_line_computation(kind: str, quick: bool) -> None:
    towers = model(quick, **KINDS[kind])
    w, act = towers.visual.state_dict(), straight.quick_gelu if quick else straight.gelu
    pixels = torch.randn(3, 3, *VIT["image_size"])
    before, after = before_last_block(pixels, w, act)
    if kind.startswith("clip") and kind != "clipa":
        tokens = straight.value_path(before, weights_of_block(w, VIT["layers"] - 1))
    elif kind == "coca":
        pool = straight.part(w, "attn_pool.")
        value = pool.get("attn.v_proj_weight")  # there where the widths differ
        value = pool["attn.in_proj_weight"].chunk(3)[2] if value is None else value
        bias = pool["attn.in_proj_bias"].chunk(3)[2]
        tokens = straight.norm(after, pool, "ln_k") @ value.T + bias
        tokens = straight.linear(tokens, pool, "attn.out_proj")
    else:
        tokens = after
    expected = straight.norm(tokens[:, 1:], w, "ln_post") @ w["proj"]
    tower = open_clip_tower(towers.visual, towers.encode_image)
    pooled, patches = tower.dense(pixels)
    torch.testing.assert_close(patches, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(pooled, towers.encode_image(pixels), atol=1e-5, rtol=1e-5)
    assert torch.equal(pooled, tower.pooled(pixels))


def test_the_last_block_computes_the_class_token_alone() -> None:
    towers, shapes = model(), []
    mlp = towers.visual.transformer.resblocks[-1].mlp
    mlp.register_forward_hook(lambda _, __, output: shapes.append(tuple(output.shape)))
    pixels = torch.randn(3, 3, *VIT["image_size"])
    tower = open_clip_tower(towers.visual, towers.encode_image)
    tower.pooled(pixels)
    tower.dense(pixels)
    assert shapes == [(3, 1, 32)] * 2


def test_cells_of_a_resnet_take_the_values_of_the_attention_pool() -> None:
    torch.manual_seed(0)
    config = checkpoints.open_clip_config()
    config["text_cfg"].pop("tokenizer_kwargs")
    config["vision_cfg"] = {
        "image_size": 64,
        "layers": [1, 1, 1, 1],
        "width": 8,
        "patch_size": None,
    }
    towers = checkpoints.open_clip_library().CLIP(**config).eval().requires_grad_(False)
    visual = towers.visual
    pixels = torch.randn(2, 3, 64, 64)
    pooled, patches = open_clip_tower(visual, towers.encode_image).dense(pixels)
    assert torch.equal(pooled, towers.encode_image(pixels))
    w = straight.part(visual.state_dict(), "attnpool.")
    x = visual.layer4(visual.layer3(visual.layer2(visual.layer1(visual.stem(pixels)))))
    for row, column in ((0, 0), (1, 0), (1, 1)):
        token = x[:, :, row, column] + w["positional_embedding"][1 + 2 * row + column]
        expected = straight.linear(straight.linear(token, w, "v_proj"), w, "c_proj")
        torch.testing.assert_close(patches[:, 2 * row + column], expected, atol=1e-5, rtol=1e-5)


def test_a_tower_of_an_unknown_kind_says_so() -> None:
    tower = open_clip_tower(torch.nn.Linear(3, 3), lambda pixels: pixels)
    assert tower.silent == "its image tower is of an unknown kind (Linear)"
