"""Low-rank updates of attention weights, of any library's towers (Hu et al. 2022, 2106.09685).

A weight is `W + B A / rank`: torch's parametrisations put this under the modules, so that fused
projections, such as open_clip's, need no code of their own, and merging leaves a plain model.
"""

import math
import re

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import parametrize

from clipfg.errors import UsageError

_SINGLE = re.compile(r"(^|\.)(q|k|v|query|key|value)(_proj|_lin)?\.weight$")
_FUSED = re.compile(r"(^|\.)(in_proj_weight|qkv\.weight)$")


class LowRank(nn.Module):
    """An update of a weight `[o, i]`: `parts` of o / parts rows, each of low rank."""

    def __init__(self, weight: Float[Tensor, "o i"], rank: int, parts: int) -> None:
        super().__init__()
        rows, columns = weight.shape
        self.down = nn.Parameter(weight.new_empty(parts, rank, columns))
        self.up = nn.Parameter(weight.new_zeros(parts, rows // parts, rank))
        for part in self.down.unbind():
            nn.init.kaiming_uniform_(part, a=math.sqrt(5))

    def forward(self, weight: Float[Tensor, "o i"]) -> Float[Tensor, "o i"]:
        """The weight with its update."""
        update = self.up @ self.down / self.down.shape[1]
        return weight + update.flatten(0, 1).to(weight.dtype)


def add_lora(model: nn.Module, rank: int) -> None:
    """Add updates to the queries, keys and values of every attention; they alone get gradients.

    They begin at 0: the model computes what it did. Raises `UsageError` where there is no
    attention, as in a convolutional tower alone.
    """
    names = [name for name, _ in model.named_parameters()]
    chosen = [(name, 3) for name in names if _FUSED.search(name)]
    chosen += [(name, 1) for name in names if _SINGLE.search(name)]
    if not chosen:
        raise UsageError("Expected attention to train with LoRA, this model has none.")
    for name, parts in chosen:
        add_low_rank(model, name, rank, parts)


def add_low_rank(model: nn.Module, name: str, rank: int, parts: int = 1) -> None:
    """Add a `LowRank` update to a weight, which begins at 0."""
    path, _, own = name.rpartition(".")
    module = model.get_submodule(path)
    update = LowRank(getattr(module, own), rank, parts)
    parametrize.register_parametrization(module, own, update, unsafe=True)


def merge_lora(model: nn.Module) -> None:
    """Make the updates part of the weights."""
    for module in list(model.modules()):
        if parametrize.is_parametrized(module):
            for name in list(module.parametrizations):  # type: ignore[arg-type]
                with torch.no_grad():
                    parametrize.remove_parametrizations(module, name)
