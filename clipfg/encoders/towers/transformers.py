"""The image towers of transformers' dual encoders."""

from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from clipfg.encoders.towers.attention import attend
from clipfg.encoders.towers.base import Run, TokenTower, VisionTower


def transformers_tower(model: Any, run: Run) -> VisionTower:
    """The tower of a dual encoder's `vision_model`."""
    vision = model.vision_model
    projection = getattr(model, "visual_projection", nn.Identity())
    kind = type(vision).__name__
    if kind in CLIP_LIKE:
        return ClipViT(vision, projection, run)
    if kind in SIGLIP_LIKE:
        return SiglipViT(vision, projection, run)
    if kind == "ViTModel" and vision.pooler is not None:
        return PlainViT(vision, projection, run)
    if kind == "MobileNetV2Model":
        return AveragePooledMap(vision, projection, run)
    return VisionTower(run, f"its image tower is of an unknown kind ({kind})")


CLIP_LIKE = {
    "CLIPVisionModel",
    "MetaClip2VisionModel",
    "ChineseCLIPVisionModel",
    "AltCLIPVisionModel",
}
SIGLIP_LIKE = {"SiglipVisionModel", "Siglip2VisionModel"}


class _ClassTokenViT(TokenTower):
    """A ViT whose class token is pooled and then projected."""

    prefix = 1
    gathers = True
    blocks: tuple[Any, ...]

    def __init__(self, vision: Any, projection: nn.Module, run: Run) -> None:
        super().__init__(run)
        self.vision = vision
        self.projection = projection

    def pool(self, tokens: Float[Tensor, "b n w"]) -> Float[Tensor, "b d"]:
        """The class token after norm and projection."""
        return self.pool_each(tokens[:, :1])[:, 0]


class ClipViT(_ClassTokenViT):
    """CLIP and its kin."""

    def __init__(self, vision: Any, projection: nn.Module, run: Run) -> None:
        super().__init__(vision, projection, run)
        self.blocks = tuple(vision.encoder.layers)

    def gathered(
        self, inputs: Float[Tensor, "b 3 h w"]
    ) -> tuple[Float[Tensor, "b n w"], Float[Tensor, "b d"]]:
        """The last block for the class token alone."""
        *blocks, last = self.blocks
        tokens = self.vision.pre_layrnorm(self.vision.embeddings(inputs))
        for block in blocks:
            tokens = block(tokens, None)
        return tokens, self.pool(class_token_after(last, tokens))

    def gather(self, tokens: Float[Tensor, "m 1 w"]) -> Float[Tensor, "m 1 w"]:
        """The value path of the last block."""
        block = self.blocks[-1]
        value: Tensor = block.self_attn(block.layer_norm1(tokens))[0]
        return value

    def pool_each(self, tokens: Float[Tensor, "b p w"]) -> Float[Tensor, "b p d"]:
        """Norm and projection."""
        each: Tensor = self.projection(self.vision.post_layernorm(tokens))
        return each


def class_token_after(block: Any, tokens: Float[Tensor, "b n w"]) -> Float[Tensor, "b 1 w"]:
    """The class token as a block of CLIP's puts it out, without those of the patches."""
    attention, normed = block.self_attn, block.layer_norm1(tokens)
    queries = attention.q_proj(normed[:, :1])
    keys, values = attention.k_proj(normed), attention.v_proj(normed)
    token = attention.out_proj(attend(queries, keys, values, attention.num_heads))
    token = tokens[:, :1] + token
    out: Tensor = token + block.mlp(block.layer_norm2(token))
    return out


class PlainViT(_ClassTokenViT):
    """A ViT of a `VisionTextDualEncoder`, whose class token takes a further layer with tanh."""

    def __init__(self, vision: Any, projection: nn.Module, run: Run) -> None:
        super().__init__(vision, projection, run)
        self.blocks = tuple(vision.layers)

    def gather(self, tokens: Float[Tensor, "m 1 w"]) -> Float[Tensor, "m 1 w"]:
        """The value path of the last block."""
        block = self.blocks[-1]
        value: Tensor = block.attention(block.layernorm_before(tokens))[0]
        return value

    def pool_each(self, tokens: Float[Tensor, "b p w"]) -> Float[Tensor, "b p d"]:
        """Norm, the further layer and projection."""
        alone = self.vision.layernorm(tokens).flatten(0, 1)[:, None]
        each: Tensor = self.projection(self.vision.pooler(alone))
        return each.unflatten(0, tokens.shape[:2])


class SiglipViT(TokenTower):
    """SigLIP and SigLIP 2: a head pools all patches by attention."""

    prefix = 0
    gathers = False

    def __init__(self, vision: Any, projection: nn.Module, run: Run) -> None:
        super().__init__(run)
        self.vision = vision
        self.projection = projection
        self.blocks = tuple(vision.encoder.layers)

    def pool(self, tokens: Float[Tensor, "b n w"]) -> Float[Tensor, "b d"]:
        """Norm, attention pool and projection."""
        pooled = self.vision.head(self.vision.post_layernorm(tokens))
        features: Tensor = self.projection(pooled)
        return features

    def pool_each(self, tokens: Float[Tensor, "b p w"]) -> Float[Tensor, "b p d"]:
        """The attention pool on one patch at a time."""
        return self.pool(tokens.flatten(0, 1)[:, None]).unflatten(0, tokens.shape[:2])


class AveragePooledMap(VisionTower):
    """A convolutional tower whose cells are averaged, then projected: here each is alone."""

    def __init__(self, vision: Any, projection: nn.Module, run: Run) -> None:
        super().__init__(run)
        self.vision = vision
        self.projection = projection

    def dense(
        self, inputs: Float[Tensor, "b 3 h w"]
    ) -> tuple[Float[Tensor, "b d"], Float[Tensor, "b p d"]]:
        """The projection on every cell, whose mean is the pooled feature."""
        output = self.vision(inputs)
        cells = output.last_hidden_state.flatten(2).transpose(1, 2)
        return self.projection(output.pooler_output), self.projection(cells)
