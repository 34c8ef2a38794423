"""Attention written out, so that its probabilities can be looked at and differentiated.

The towers' own attention is fused and hands out no probabilities. While an `AttentionRecorder` is
active, every attention of its thread is computed here instead, whichever library asks for it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode


@dataclass(frozen=True)
class Attention:
    """One attention with h heads of width e, from k keys to q queries."""

    queries: Float[Tensor, "b h q e"]
    keys: Float[Tensor, "b h k e"]
    values: Float[Tensor, "b h k e"]
    probabilities: Float[Tensor, "b h q k"]
    output: Float[Tensor, "b h q e"]
    """Before the heads are joined and projected."""


def attend(
    queries: Float[Tensor, "b q w"],
    keys: Float[Tensor, "b k w"],
    values: Float[Tensor, "b k w"],
    heads: int,
) -> Float[Tensor, "b q w"]:
    """Attention with the heads side by side in the width, before the output's projection."""
    apart = (part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in (queries, keys, values))
    return functional.scaled_dot_product_attention(*apart).transpose(1, 2).flatten(2)


class AttentionRecorder(TorchFunctionMode):
    """Keeps the attentions that are computed in its context, in order.

    Masks are not applied: image towers attend to all patches, and none is padding.
    """

    def __init__(self) -> None:
        super().__init__()
        self.attentions: list[Attention] = []

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Sequence[type],
        arguments: Sequence[Any] = (),
        options: Mapping[str, Any] | None = None,
    ) -> Any:
        options = options or {}
        if function is functional.scaled_dot_product_attention:
            return self._attend(*arguments, scale=options.get("scale"))
        if function is functional.multi_head_attention_forward:
            return self._multi_head(*arguments, **options), None
        return function(*arguments, **options)

    def _attend(
        self, queries: Tensor, keys: Tensor, values: Tensor, *_: Any, scale: float | None = None
    ) -> Tensor:
        scale = queries.shape[-1] ** -0.5 if scale is None else scale
        probabilities = (queries * scale @ keys.transpose(-2, -1)).softmax(dim=-1)
        output = probabilities @ values
        self.attentions.append(Attention(queries, keys, values, probabilities, output))
        return output

    def _multi_head(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        _width: int,
        heads: int,
        weight: Tensor | None,
        bias: Tensor,
        *rest: Any,
        **options: Any,
    ) -> Tensor:
        """On sequences `[n, b, w]`; `rest` ends in the weight and the bias of the output."""
        if weight is None:
            weights = [options[f"{part}_proj_weight"] for part in "qkv"]
        else:
            weights = list(weight.chunk(3))
        projected = (
            functional.linear(*each).unflatten(-1, (heads, -1)).permute(1, 2, 0, 3)
            for each in zip((query, key, value), weights, bias.chunk(3), strict=True)
        )
        joined = self._attend(*projected).permute(2, 0, 1, 3).flatten(2)
        return functional.linear(joined, *rest[-2:])
