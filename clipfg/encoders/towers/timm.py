"""The image towers that open_clip takes from timm."""

from typing import Any

from jaxtyping import Float
from torch import Tensor

from clipfg.encoders.towers.base import Run, TokenTower, VisionTower
from clipfg.errors import UsageError


def timm_tower(visual: Any, run: Run) -> VisionTower:
    """The tower of open_clip's `TimmModel`."""
    from timm.models.eva import Eva
    from timm.models.vision_transformer import VisionTransformer

    trunk = visual.trunk
    if type(trunk) in (VisionTransformer, Eva) and trunk.global_pool:
        return TimmViT(visual, run)
    if hasattr(trunk, "blocks") or "pool" in visual.head._modules:
        return VisionTower(run, f"its image tower is of an unknown kind ({type(trunk).__name__})")
    return TimmMap(visual, run)


def _gather(block: Any, tokens: Tensor) -> Tensor:
    value: Tensor = block.ls1(block.attn(block.norm1(tokens)))
    return value


def _gather_in_eva(block: Any, tokens: Tensor) -> Tensor:
    value: Tensor = block.attn(block.norm1(tokens))
    return value if block.gamma_1 is None else block.gamma_1 * value


def _gather_before_norm(block: Any, tokens: Tensor) -> Tensor:
    value: Tensor = block.norm1(block.attn(tokens))
    return value


GATHER = {
    "Block": _gather,
    "EvaBlock": _gather_in_eva,
    "EvaBlockPostNorm": _gather_before_norm,
    "ResPostBlock": _gather_before_norm,
}
"""What attention adds to tokens, by the class of the block."""


class TimmViT(TokenTower):
    """timm's ViT (SigLIP, MobileCLIP-B, ViTamin) or EVA, with any of its pools."""

    def __init__(self, visual: Any, run: Run) -> None:
        super().__init__(run)
        self.head, trunk = visual.head, visual.trunk
        self.trunk = trunk
        self.blocks = tuple(trunk.blocks)
        self.prefix = trunk.num_prefix_tokens
        self.gathers = trunk.global_pool == "token"
        kind = type(self.blocks[-1]).__name__
        if self.gathers and kind not in GATHER:
            self.silent = f"its blocks are of an unknown kind ({kind})"
        if type(trunk).__name__ == "Eva" and trunk.attn_pool is not None:
            # Bolya et al. 2025 (arXiv 2504.13181): its last layers hold global features alone.
            self.silent = "the Perception Encoder's last layer holds nothing local"

    def pool(self, tokens: Float[Tensor, "b n w"]) -> Float[Tensor, "b d"]:
        """Norm, pool and projection."""
        pooled: Tensor = self.head(self.trunk.forward_head(self.trunk.norm(tokens)))
        return pooled

    def gather(self, tokens: Float[Tensor, "m 1 w"]) -> Float[Tensor, "m 1 w"]:
        """The value path of the last block."""
        block = self.blocks[-1]
        return GATHER[type(block).__name__](block, tokens)

    def pool_each(self, tokens: Float[Tensor, "b p w"]) -> Float[Tensor, "b p d"]:
        """Norm, attention pool where there is one, and projection."""
        trunk, pooled = self.trunk, self.trunk.norm(tokens)
        if trunk.attn_pool is not None:
            pooled = trunk.attn_pool(pooled.flatten(0, 1)[:, None]).view_as(pooled)
        each: Tensor = self.head(trunk.head(trunk.fc_norm(pooled)))
        return each


class TimmMap(VisionTower):
    """A tower that ends in a map (ConvNeXt, FastViT, Swin): the head pools each cell alone."""

    def __init__(self, visual: Any, run: Run) -> None:
        super().__init__(run)
        self.visual = visual

    def dense(
        self, inputs: Float[Tensor, "b 3 h w"]
    ) -> tuple[Float[Tensor, "b d"], Float[Tensor, "b p d"]]:
        """Every cell as a map of one cell."""
        trunk, head = self.visual.trunk, self.visual.head
        cells = trunk.forward_features(inputs)
        if cells.ndim != 4:
            kind = type(trunk).__name__
            raise UsageError(f"Expected an image tower that ends in a map, got {kind}.")
        if getattr(trunk, "output_fmt", "NCHW") == "NHWC":
            alone = cells.flatten(0, 2)[:, None, None]
        else:
            alone = cells.flatten(2).transpose(1, 2).flatten(0, 1)[..., None, None]
        each = head(trunk.forward_head(alone))
        return head(trunk.forward_head(cells)), each.unflatten(0, (len(inputs), -1))
