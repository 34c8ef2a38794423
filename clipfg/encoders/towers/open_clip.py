"""The image towers of open_clip: its own ViT and ResNet, and what timm gives it."""

from typing import Any

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from clipfg.encoders.towers.attention import attend
from clipfg.encoders.towers.base import Run, TokenTower, VisionTower
from clipfg.encoders.towers.timm import timm_tower


def open_clip_tower(visual: Any, run: Run) -> VisionTower:
    """The tower of a model's `visual`."""
    from open_clip.modified_resnet import ModifiedResNet
    from open_clip.timm_model import TimmModel
    from open_clip.transformer import VisionTransformer

    if isinstance(visual, TimmModel):
        return timm_tower(visual, run)
    if isinstance(visual, ModifiedResNet):
        return AttentionPooledResNet(visual, run)
    if isinstance(visual, VisionTransformer):
        return OpenClipViT(visual, run)
    return VisionTower(run, f"its image tower is of an unknown kind ({type(visual).__name__})")


class OpenClipViT(TokenTower):
    """CLIP's ViT; also with an average pool (CLIPA, florette) or attention pooling (CoCa)."""

    blocks: tuple[Any, ...]

    def __init__(self, visual: Any, run: Run) -> None:
        super().__init__(run)
        self.visual = visual
        self.blocks = tuple(visual.transformer.resblocks)
        self.prefix = 1
        self.gathers = visual.attn_pool is None and visual.pool_type == "tok"
        if getattr(visual, "attn_pool_contrastive", None) is not None:
            self.silent = "its image tower pools twice by attention"
        elif self.gathers and not hasattr(self.blocks[-1], "attention"):
            self.silent = f"its blocks are of an unknown kind ({type(self.blocks[-1]).__name__})"

    def _project(self, pooled: Tensor) -> Tensor:
        return pooled if self.visual.proj is None else pooled @ self.visual.proj

    def pool(self, tokens: Float[Tensor, "b n w"]) -> Float[Tensor, "b d"]:
        """Norm, pool and projection."""
        return self._project(self.visual._pool(tokens)[0])

    def gathered(
        self, inputs: Float[Tensor, "b 3 h w"]
    ) -> tuple[Float[Tensor, "b n w"], Float[Tensor, "b d"]]:
        """The last block for the class token alone, unless that is of open_clip's rarer kinds."""
        *blocks, last = self.blocks
        if type(last).__name__ != "ResidualAttentionBlock":
            return super().gathered(inputs)
        tokens = self.visual._embeds(inputs)
        for block in blocks:
            tokens = block(tokens)
        return tokens, self.pool(class_token_after(last, tokens))

    def gather(self, tokens: Float[Tensor, "m 1 w"]) -> Float[Tensor, "m 1 w"]:
        """The value path of the last block."""
        block = self.blocks[-1]
        value: Tensor = block.ls_1(block.attention(block.ln_1(tokens)))
        return value

    def pool_each(self, tokens: Float[Tensor, "b p w"]) -> Float[Tensor, "b p d"]:
        """Norm and projection; in CoCa the attention pool before them."""
        pooler = self.visual.attn_pool
        if pooler is not None:
            alone = pooler.ln_k(tokens.flatten(0, 1)[:, None])
            # With one key every query gets the same, so one of CoCa's 256 is enough.
            query = pooler.ln_q(pooler.query[:1]).expand(len(alone), -1, -1)
            pooled = pooler.attn(query, alone, alone, need_weights=False)[0]
            tokens = pooled.view(*tokens.shape[:2], -1)
        return self._project(self.visual.ln_post(tokens))


def class_token_after(block: Any, tokens: Float[Tensor, "b n w"]) -> Float[Tensor, "b 1 w"]:
    """The class token as a block of CLIP's puts it out, without those of the patches."""
    attention, normed = block.attn, block.ln_1(tokens)
    # By views of the packed weights: its own forward transposes, which is slow in bf16.
    weights, biases = attention.in_proj_weight, attention.in_proj_bias
    width = attention.embed_dim
    queries = functional.linear(normed[:, :1], weights[:width], biases[:width])
    keys, values = functional.linear(normed, weights[width:], biases[width:]).chunk(2, -1)
    token = attention.out_proj(attend(queries, keys, values, attention.num_heads))
    token = tokens[:, :1] + block.ls_1(token)
    out: Tensor = token + block.ls_2(block.mlp(block.ln_2(token)))
    return out


class AttentionPooledResNet(VisionTower):
    """CLIP's ResNet: each cell takes the value path of the attention pool (MaskCLIP, ECCV 2022)."""

    def __init__(self, visual: Any, run: Run) -> None:
        super().__init__(run)
        self.visual = visual

    def dense(
        self, inputs: Float[Tensor, "b 3 h w"]
    ) -> tuple[Float[Tensor, "b d"], Float[Tensor, "b p d"]]:
        """Values of the attention pool, which the pooled feature averages by attention."""
        visual, pool = self.visual, self.visual.attnpool
        cells = visual.stem(inputs)
        for layer in (visual.layer1, visual.layer2, visual.layer3, visual.layer4):
            cells = layer(cells)
        tokens = cells.flatten(2).transpose(1, 2) + pool.positional_embedding[1:]
        return pool(cells), functional.linear(
            pool.v_proj(tokens), pool.c_proj.weight, pool.c_proj.bias
        )
