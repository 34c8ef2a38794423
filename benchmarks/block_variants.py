"""What was tried to bring a bf16 image tower nearer to its matrix products.

    OMP_NUM_THREADS=1 python benchmarks/block_variants.py [--rounds 9]

One block of ViT-B-32 and of ViT-B-16, and the patch embedding, in variants that compute the same,
in turns on one core; processor milliseconds of a picture, medians.
"""

import argparse
import copy
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from jaxtyping import Float
from open_clip.transformer import ResidualAttentionBlock
from torch import Tensor, nn
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.embed import machine
from clipfg.encoders.towers.open_clip import class_token_after
from clipfg.encoders.towers.patches import embed_patches_by_products

WIDTH, HEADS, KIND = 768, 12, torch.bfloat16
Variant = Callable[[Tensor], Tensor]
MKLDNN = torch.ops.mkldnn


def block_variants(block: ResidualAttentionBlock) -> dict[str, Variant]:
    """The block as open_clip runs it, with one part exchanged, and its products alone."""
    attention, first, last = block.attn, block.mlp.c_fc, block.mlp.c_proj
    layers = {
        "qkv": (attention.in_proj_weight, attention.in_proj_bias),
        "out": (attention.out_proj.weight, attention.out_proj.bias),
        "first": (first.weight, first.bias),
        "last": (last.weight, last.bias),
    }
    packed = {name: (MKLDNN._reorder_linear_weight(w), bias) for name, (w, bias) in layers.items()}

    def pointwise(x: Tensor, weight: Tensor, bias: Tensor, after: str = "none") -> Tensor:
        return MKLDNN._linear_pointwise(x, weight, bias, after, [], "none")

    def attend(x: Tensor, linear: Callable[..., Tensor], weights: dict[str, tuple[Tensor, Tensor]]):
        parts = linear(x, *weights["qkv"]).unflatten(-1, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        found = functional.scaled_dot_product_attention(*parts)
        return linear(found.transpose(1, 2).flatten(2), *weights["out"])

    def fused_attention(x: Tensor) -> Tensor:
        x = x + attend(block.ln_1(x), functional.linear, layers)
        return x + block.mlp(block.ln_2(x))

    def packed_weights(x: Tensor) -> Tensor:
        x = x + attend(block.ln_1(x), pointwise, packed)
        inner = functional.gelu(pointwise(block.ln_2(x), *packed["first"]))
        return x + pointwise(inner, *packed["last"])

    def fused_gelu(x: Tensor) -> Tensor:
        x = x + block.attention(block.ln_1(x))
        return x + last(pointwise(block.ln_2(x), *layers["first"], "gelu"))

    def products(x: Tensor) -> Tensor:
        wide = x.new_ones((*x.shape[:2], 4 * WIDTH))
        for name, (weight, _) in layers.items():
            functional.linear(wide if name == "last" else x, weight)
        return x

    return {
        "open_clip's block": block,
        "scaled_dot_product_attention": fused_attention,
        "weights packed before, and that": packed_weights,
        "GELU within the product": fused_gelu,
        "its class token alone, as clipfg's last block": partial(class_token_after, block),
        "products alone": products,
    }


def patch_variants(patch: int) -> dict[str, Variant]:
    """Patches to tokens."""
    layer = nn.Conv2d(3, WIDTH, patch, patch, bias=False).to(KIND).requires_grad_(False)
    kernel, product = layer.weight, copy.deepcopy(layer)
    embed_patches_by_products(product)

    def channels_last(x: Float[Tensor, "b 3 h w"]) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        return functional.conv2d(x, kernel, stride=patch)

    return {
        "patches by a convolution": layer,
        "patches, channels last": channels_last,
        "patches by a product, as clipfg's": product,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print(machine())
    block = ResidualAttentionBlock(WIDTH, HEADS).to(KIND).eval().requires_grad_(False)
    for patch, batches in ((32, (32, 8)), (16, (8,))):
        runs: dict[str, tuple[Variant, Tensor]] = {}
        for batch in batches:
            tokens = torch.randn(batch, (224 // patch) ** 2 + 1, WIDTH).to(KIND)
            images = torch.randn(batch, 3, 224, 224).to(KIND)
            runs |= {f"{n}, {batch}": (v, tokens) for n, v in block_variants(block).items()}
            runs |= {f"{n}, {batch}": (v, images) for n, v in patch_variants(patch).items()}
        times: dict[str, list[float]] = {name: [] for name in runs}
        with torch.inference_mode():
            for _ in range(rounds + 1):
                for name, (variant, given) in runs.items():
                    started = time.process_time()
                    variant(given)
                    times[name].append((time.process_time() - started) * 1e3 / len(given))
        print(f"\nViT-B-{patch}, batch             processor ms a picture")
        for name, each in times.items():
            print(f"{name:36}  {statistics.median(each[1:]):6.3f}")


if __name__ == "__main__":
    main()
