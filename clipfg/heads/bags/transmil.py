"""TransMIL: a transformer over the instances of a bag, with a class token."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from clipfg.heads.bags.base import BagHead
from clipfg.heads.bags.nets import PART, BagNet, Reading

LAYER_HEADS = 4
EXACT = 256
"""Tokens up to which attention is computed as it is; beyond, by Nyström's method."""


def pseudo_inverse(a: Float[Tensor, "h m m"], steps: int = 6) -> Float[Tensor, "h m m"]:
    """The Moore-Penrose inverse of matrices whose rows sum to 1, by a cubic iteration.

    Source: Xiong et al. 2021, arXiv:2102.03902, equation 11.
    """
    eye = torch.eye(a.shape[-1], device=a.device)
    z = a.mT / (a.abs().sum(-1).amax() * a.abs().sum(-2).amax())
    for _ in range(steps):
        az = a @ z
        z = 0.25 * z @ (13 * eye - az @ (15 * eye - az @ (7 * eye - az)))
    return z


def nystrom_attention(
    q: Float[Tensor, "h n e"], k: Float[Tensor, "h n e"], v: Float[Tensor, "h n e"], landmarks: int
) -> Float[Tensor, "h n e"]:
    """`softmax(q k'/sqrt(e)) v` through means of consecutive queries and keys, in O(n).

    Source: Xiong et al. 2021, arXiv:2102.03902, equation 13.
    """
    q = q / math.sqrt(q.shape[-1])
    q_means, k_means = (
        torch.stack([part.mean(dim=1) for part in x.tensor_split(landmarks, dim=1)], dim=1)
        for x in (q, k)
    )
    left = (q @ k_means.mT).softmax(dim=-1)
    middle = (q_means @ k_means.mT).softmax(dim=-1)
    right = (q_means @ k.mT).softmax(dim=-1)
    return left @ (pseudo_inverse(middle) @ (right @ v))


class TransLayer(nn.Module):
    """`x + attention(norm(x))`; a depthwise convolution of the values along the bag is added."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.inputs = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Sequential(nn.Linear(width, width), nn.Dropout(0.1))
        self.near = nn.Conv1d(LAYER_HEADS, LAYER_HEADS, 33, padding=16, groups=LAYER_HEADS)

    def heads(self, x: Float[Tensor, "n m"]) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values `[h, n, e]`."""
        parts = self.inputs(self.norm(x)).unflatten(1, (3, LAYER_HEADS, -1)).permute(1, 2, 0, 3)
        return parts[0], parts[1], parts[2]

    def forward(self, x: Float[Tensor, "n m"]) -> Float[Tensor, "n m"]:
        """The tokens of one bag."""
        q, k, v = self.heads(x)
        if len(x) <= EXACT:
            y = ((q @ k.mT) / math.sqrt(q.shape[-1])).softmax(dim=-1) @ v
        else:
            y = nystrom_attention(q, k, v, x.shape[1] // 2)
        y = y + self.near(v.permute(2, 0, 1)).permute(1, 2, 0)
        out: Tensor = x + self.out(y.transpose(0, 1).flatten(1))
        return out


class TransmilNet(BagNet):
    """Tokens, squared up by repeating the first; two layers, and between them the positions' code.

    Instances have no score of their own: theirs is the class token's attention to them in the last
    layer, before the softmax, the mean over heads; one for all classes.
    """

    def __init__(self, d: int, width: int, classes: int, negative: int | None) -> None:
        super().__init__(d, width, classes, negative)
        self.adapter = nn.Sequential(nn.Linear(d, width), nn.ReLU())
        self.token = nn.Parameter(torch.randn(1, width))
        self.first, self.second = TransLayer(width), TransLayer(width)
        self.positions = nn.ModuleList(
            nn.Conv2d(width, width, size, padding=size // 2, groups=width) for size in (7, 5, 3)
        )
        self.norm = nn.LayerNorm(width)
        self.classifier = nn.Linear(width, self.evidence)

    def forward(self, rows: Float[Tensor, "r d"], offsets: Int[Tensor, " ends"]) -> Reading:
        """Bag by bag."""
        h = self.embed(rows)
        bags = [self._read(part) for part in h.tensor_split(offsets[1:-1].tolist())]
        logits, attention = zip(*bags, strict=True)
        told = torch.cat(attention)[:, None]
        return Reading(torch.stack(logits)[None], told.expand(-1, self.evidence), told)

    def read_large(self, rows: Float[Tensor, "r d"]) -> Reading:
        """Parts of `PART` rows as bags of their own, whose logits are averaged."""
        parts = [self(part, torch.tensor([0, len(part)])) for part in rows.split(PART)]
        sizes = torch.tensor([float(len(part.instances)) for part in parts])
        streams = torch.stack([part.streams for part in parts], dim=-1) @ (sizes / len(rows))
        return Reading(
            streams,
            torch.cat([part.instances for part in parts]),
            torch.cat([part.attention for part in parts]),
        )

    def _read(self, h: Float[Tensor, "n m"]) -> tuple[Float[Tensor, " k"], Float[Tensor, " n"]]:
        n = len(h)
        side = math.ceil(math.sqrt(n))
        x = self.first(torch.cat([self.token, h, h[: side * side - n]]))
        grid = x[1:].T.reshape(1, -1, side, side)
        coded = grid + torch.stack([code(grid) for code in self.positions]).sum(dim=0)
        x = torch.cat([x[:1], coded[0].flatten(1).T])
        q, k, _ = self.second.heads(x)
        attention = torch.einsum("he,hne->n", q[:, 0], k[:, 1 : n + 1]) / len(q)
        return self.classifier(self.norm(self.second(x)[0])), attention / math.sqrt(q.shape[-1])


@dataclass(eq=False)
class Transmil(BagHead):
    """A transformer over the instances of a bag, in their order; see `BagHead`.

    Up to 256 tokens attention is exact; the paper approximates it always. Bags of more than 16,384
    instances are read in parts.

    Source: Shao et al. 2021, arXiv:2106.00908, section 3.
    """

    name: ClassVar[str] = "transmil"
    net: ClassVar = TransmilNet
