"""FG-CLIP 2 (arXiv:2510.10921): SigLIP 2's NaFlex towers, three text heads, and a dense head."""

from collections.abc import Mapping
from typing import Any

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from clipfg.encoders.base import TextPath
from clipfg.encoders.fgclip.model import NO_TOKENS, FgClip, Settings, blocked, chosen
from clipfg.errors import DataError


class FgClip2(FgClip):
    """FG-CLIP 2. Images are rows of patches, with a mask and the shape of each (`PatchBatch`)."""

    LENGTHS = {"short": 64, "long": 196, "box": 64}  # noqa: RUF012

    def __init__(self, config: Settings, lengths: Mapping[TextPath, int] = LENGTHS) -> None:
        from transformers import Siglip2Config, Siglip2Model

        super().__init__()
        text = chosen(config.get("text_config") or {}) | NO_TOKENS
        text["max_position_embeddings"] = lengths["short"]
        vision = chosen(config.get("vision_config") or {})
        towers = Siglip2Model(Siglip2Config(text_config=text, vision_config=vision))
        self.text_model, self.vision_model = towers.text_model, towers.vision_model
        self.logit_scale, self.logit_bias = towers.logit_scale, towers.logit_bias
        width = self.text_model.head.out_features
        self.longtext_head = nn.Linear(width, width)
        self.boxtext_head = nn.Linear(width, width)
        pooling = self.vision_model.head
        self.dense_feature_head = type(pooling)(self.vision_model.config)
        self._add_tables(lengths)

    def image_features(
        self,
        patches: Float[Tensor, "b n k"],
        mask: Bool[Tensor, "b n"],
        shapes: Int[Tensor, "b 2"],
    ) -> Float[Tensor, "b d"]:
        """Pooled features of normalised patches."""
        return self.features(patches, mask, shapes)[0]

    def dense_features(
        self,
        patches: Float[Tensor, "b n k"],
        mask: Bool[Tensor, "b n"],
        shapes: Int[Tensor, "b 2"],
    ) -> list[Float[Tensor, "_h _w d"]]:
        """A feature for each patch of each image."""
        tokens = self.features(patches, mask, shapes, dense=True)[1]
        sizes = shapes.tolist()
        return [
            own[: h * w].unflatten(0, (h, w)) for own, (h, w) in zip(tokens, sizes, strict=True)
        ]

    def features(
        self,
        patches: Float[Tensor, "b n k"],
        mask: Bool[Tensor, "b n"],
        shapes: Int[Tensor, "b 2"],
        *,
        dense: bool = False,
    ) -> tuple[Float[Tensor, "b d"], Float[Tensor, "b m d"]]:
        """Pooled features, and dense ones of all n rows (else of none), which share every block."""
        tower, mask = self.vision_model, mask.bool()
        x = tower.embeddings(patches, shapes)
        blocks = blocked(mask, x.dtype)[:, None, None]
        for block in tower.encoder.layers:
            x = block(x, blocks)
        x = tower.post_layernorm(x)
        probe = tower.head.probe.expand(len(x), -1, -1)
        pooled = _pool(tower.head, probe, x, mask)[:, 0]
        if not dense:
            return pooled, x[:, :0]
        return pooled, _pool(self.dense_feature_head, x, x, mask)

    def text_features(
        self, ids: Int[Tensor, "t n"], path: TextPath = "short"
    ) -> Float[Tensor, "t d"]:
        """Features of token ids: nothing is masked, and the last position is read, even padding."""
        if path == "long" and ids.shape[1] != len(self.positions(path)):
            raise DataError(
                f"Expected long texts padded to {len(self.positions(path))} tokens, got"
                f" {ids.shape[1]}."
            )
        x = self._embed(ids, path)
        for block in self.text_model.encoder.layers:
            x = block(x, None)
        pooled = self.text_model.final_layer_norm(x[:, -1])
        heads = {"long": self.longtext_head, "box": self.boxtext_head}
        return heads.get(path, self.text_model.head)(pooled)

    def logits(
        self, images: Float[Tensor, "n d"], texts: Float[Tensor, "t d"]
    ) -> Float[Tensor, "n t"]:
        """Scaled and shifted cosines; a sigmoid makes each a probability of its own."""
        return super().logits(images, texts) + self.logit_bias


def _pool(head: Any, queries: Tensor, tokens: Tensor, mask: Tensor) -> Tensor:
    """Attention pooling: what each query finds among the tokens, a + MLP(LN a)."""
    found = head.attention(queries, tokens, tokens, key_padding_mask=~mask, need_weights=False)[0]
    return found + head.mlp(head.layernorm(found))
