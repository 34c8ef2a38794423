"""FG-CLIP 1 (arXiv:2505.05071): CLIP's towers, a second road for long texts, and dense features."""

from collections.abc import Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from clipfg.encoders.base import TextPath
from clipfg.encoders.fgclip.model import NO_TOKENS, FgClip, Settings, blocked, chosen
from clipfg.encoders.towers.transformers import class_token_after
from clipfg.errors import DataError

END = 49407
"""CLIP's end token, whatever a configuration says: published ones disagree with the tokenizer."""


class FgClip1(FgClip):
    """FG-CLIP 1. `logit_scale_finegraind` and `logit_scale_hardneg` are used in training alone."""

    LENGTHS = {"short": 77, "long": 248, "box": 77}  # noqa: RUF012

    def __init__(self, config: Settings, lengths: Mapping[TextPath, int] = LENGTHS) -> None:
        from transformers import CLIPConfig, CLIPModel

        super().__init__()
        width = int(config.get("projection_dim", 512))
        text = chosen(config.get("text_config") or {}) | NO_TOKENS
        text["max_position_embeddings"] = lengths["short"]
        towers = CLIPModel(
            CLIPConfig(
                text_config=text,
                vision_config=chosen(config.get("vision_config") or {}),
                projection_dim=width,
            )
        )
        self.text_model, self.vision_model = towers.text_model, towers.vision_model
        self.visual_projection = towers.visual_projection
        self.text_projection = towers.text_projection
        self.text_filip_projection = nn.Linear(towers.text_embed_dim, width, bias=False)
        self.logit_scale = towers.logit_scale
        self.logit_scale_finegraind = nn.Parameter(self.logit_scale.detach().clone())
        self.logit_scale_hardneg = nn.Parameter(self.logit_scale.detach().clone())
        self._add_tables(lengths)
        self.end = min(END, self.text_model.embeddings.token_embedding.num_embeddings - 1)

    def image_features(self, pixels: Float[Tensor, "b 3 s s"]) -> Float[Tensor, "b d"]:
        """Pooled features of normalised pixels."""
        return self.features(pixels)[0]

    def dense_features(self, pixels: Float[Tensor, "b 3 s s"]) -> Float[Tensor, "b h w d"]:
        """A feature for each patch of normalised pixels."""
        return self.features(pixels, dense=True)[1]

    def features(
        self, pixels: Float[Tensor, "b 3 s s"], *, dense: bool = False
    ) -> tuple[Float[Tensor, "b d"], Float[Tensor, "b h w d"]]:
        """Pooled features, and dense ones (else an empty map) that share all blocks but the last.

        For dense features the last block attends to nothing: every token keeps its own value.
        """
        tower = self.vision_model
        x = tower.pre_layrnorm(tower.embeddings(pixels))
        *blocks, last = tower.encoder.layers
        for block in blocks:
            x = block(x, None)
        pooled = self.visual_projection(tower.post_layernorm(class_token_after(last, x)[:, 0]))
        if not dense:
            return pooled, pooled.new_empty((len(pixels), 0, 0, pooled.shape[1]))
        x = x[:, 1:]
        x = x + last.self_attn.out_proj(last.self_attn.v_proj(last.layer_norm1(x)))
        x = x + last.mlp(last.layer_norm2(x))
        side = pixels.shape[-1] // tower.embeddings.patch_size
        return pooled, self.visual_projection(tower.post_layernorm(x)).unflatten(1, (side, side))

    def text_features(
        self, ids: Int[Tensor, "t n"], path: TextPath = "short"
    ) -> Float[Tensor, "t d"]:
        """Features of token ids that are padded with the end token; the first one is read.

        Attention is causal, so what follows the last of these ends is not computed.
        """
        found = ids == self.end
        if not found.any(1).all():
            raise DataError(f"Expected the end token {self.end} in every text, got one without.")
        ends = found.int().argmax(1)
        length = int(ends.max()) + 1
        x = self._embed(ids, path)[:, :length]
        causal = torch.ones((length, length), dtype=torch.bool, device=ids.device).tril()
        mask = blocked(causal, x.dtype)[None, None]
        for block in self.text_model.encoder.layers:
            x = block(x, mask)
        pooled = self.text_model.final_layer_norm(x[torch.arange(len(x), device=x.device), ends])
        head = self.text_filip_projection if path == "long" else self.text_projection
        return head(pooled)
