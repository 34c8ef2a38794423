"""DCLIP's teacher, with its leak, for comparison: what it is matched with is in its input."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity


class DclipTeacher(nn.Module):
    """Cross-attention between an image's regions and its caption's spans, pooled to one embedding.

    THE LEAK: half the embedding is made of the spans, which a residual connection carries through.
    Untrained, with noise for regions, it already matches its own caption, and to train it
    (`contrastive` of its embedding with the caption's) needs no region. `region_target` of
    `clipfg.training.losses.distillation` has no leak.

    Source: Csizmadia et al. 2025, DCLIP, arXiv:2505.21549.
    """

    def __init__(self, dim: int, heads: int = 8) -> None:
        super().__init__()
        self.to_spans = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.to_regions = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.span_norm = nn.LayerNorm(dim)
        self.region_norm = nn.LayerNorm(dim)

    def forward(
        self,
        regions: Float[Tensor, "b r d"],
        spans: Float[Tensor, "b t d"],
        region_mask: Bool[Tensor, "b r"],
        span_mask: Bool[Tensor, "b t"],
    ) -> Float[Tensor, "b d"]:
        """Half the pooled regions, half the pooled spans. Rows where a mask is False are padding.

        `regions` and `spans` are frozen features of crops and of phrases of the caption. A side
        without rows gives 0.
        """
        seen = self.span_norm(spans + _attend(self.to_regions, spans, regions, region_mask))
        read = self.region_norm(regions + _attend(self.to_spans, regions, spans, span_mask))
        return (_pool(read, region_mask) + _pool(seen, span_mask)) / 2


def _attend(
    attention: nn.MultiheadAttention, queries: Tensor, keys: Tensor, mask: Tensor
) -> Tensor:
    some = mask.any(dim=1)[:, None]  # a softmax over nothing is NaN
    found, _ = attention(queries, keys, keys, key_padding_mask=~(mask | ~some), need_weights=False)
    return found * some[..., None]


def _pool(rows: Tensor, mask: Tensor) -> Tensor:
    """Mean of the rows weighted by a softmax of their cosine with the plain mean."""
    rows = rows.masked_fill(~mask[..., None], 0.0)
    mean = rows.sum(dim=1, keepdim=True) / mask.sum(dim=1).clamp(min=1)[:, None, None]
    similar = cosine_similarity(rows, mean, dim=-1).float()
    weights = similar.masked_fill(~mask, torch.finfo(torch.float32).min).softmax(dim=1)
    return (weights.to(rows.dtype)[..., None] * rows).sum(dim=1)
