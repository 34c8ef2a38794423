"""open_clip's text towers, run on only as many positions as the texts of a batch fill.

The library computes all 77 positions of CLIP, of which a class name in a template fills a dozen.
Padding can be dropped where it cannot affect the position that is read: with causal attention
pooled at the end of the text, and in towers of transformers, which mask it.
"""

from typing import Any

from jaxtyping import Float, Int
from torch import Tensor, nn


def encode_tokens(model: Any, tokens: Int[Tensor, "t l"]) -> Float[Tensor, "t d"]:
    """Text features of padded token ids; equal to `model.encode_text` up to rounding."""
    tower = getattr(model, "text", model)
    if _is_causal(tower):
        ends = _ends(tower, tokens)
        return _causal_features(tower, tokens[:, : int(ends.max()) + 1], ends)
    if type(tower).__name__ == "HFTextEncoder":
        filled = (tokens != tower.config.pad_token_id).any(dim=0).nonzero()
        if len(filled):
            tokens = tokens[:, : int(filled[-1]) + 1]
    return model.encode_text(tokens)


def put_positions_first(model: Any) -> None:
    """Let the text tower compute on `[l, t, w]`, which is faster.

    `nn.MultiheadAttention` transposes what comes as `[t, l, w]`, and the product with a transposed
    view goes text by text: in bf16 its weight is copied for each text, more than half of the time.
    """
    transformer = getattr(getattr(model, "text", model), "transformer", None)
    blocks = getattr(transformer, "resblocks", ())
    attentions = [block.attn for block in blocks if hasattr(block, "attn")]
    if attentions and all(type(each) is nn.MultiheadAttention for each in attentions):
        for part in (transformer, *attentions):
            part.batch_first = False


def _is_causal(tower: Any) -> bool:
    return (
        _pool(tower) in ("argmax", "eos")
        and getattr(tower, "attn_mask", None) is not None
        and getattr(tower, "cls_emb", None) is None
        and not getattr(tower, "use_pad_mask", False)
        and not getattr(tower, "output_tokens", False)
    )


def _pool(tower: Any) -> Any:
    return getattr(tower, "text_pool_type", getattr(tower, "pool_type", None))


def _ends(tower: Any, tokens: Tensor) -> Tensor:
    """The position that is read for each text: that of its largest id, or of the end token."""
    if _pool(tower) == "argmax":
        return tokens.argmax(dim=1)
    end: Any = getattr(tower, "text_eos_id", getattr(tower, "eos_id", None))
    return tokens.eq(end).int().argmax(dim=1)


def _causal_features(tower: Any, tokens: Tensor, ends: Tensor) -> Tensor:
    length = tokens.shape[1]
    kind = tower.transformer.get_cast_dtype()
    x = tower.token_embedding(tokens).to(kind) + tower.positional_embedding[:length].to(kind)
    x = tower.transformer(x, attn_mask=tower.attn_mask[:length, :length])
    pooled = tower.ln_final(x[range(len(x)), ends])
    projection = tower.text_projection
    if projection is None:
        return pooled
    return projection(pooled) if isinstance(projection, nn.Module) else pooled @ projection
