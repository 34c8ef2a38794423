"""TransMIL: a transformer over the instances of a bag, with a class token."""

import math
from collections import defaultdict
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


def pseudo_inverse(a: Float[Tensor, "*h m m"], steps: int = 6) -> Float[Tensor, "*h m m"]:
    """The Moore-Penrose inverse of matrices whose rows sum to 1, by a cubic iteration.

    Source: Xiong et al. 2021, arXiv:2102.03902, equation 11.
    """
    eye = torch.eye(a.shape[-1], device=a.device)
    rows, columns = a.abs().sum(-1), a.abs().sum(-2)
    z = a.mT / (rows.amax((-2, -1)) * columns.amax((-2, -1)))[..., None, None]
    for _ in range(steps):
        az = a @ z
        z = 0.25 * z @ (13 * eye - az @ (15 * eye - az @ (7 * eye - az)))
    return z


def nystrom_attention(
    q: Float[Tensor, "*h n e"],
    k: Float[Tensor, "*h n e"],
    v: Float[Tensor, "*h n e"],
    landmarks: int,
) -> Float[Tensor, "*h n e"]:
    """`softmax(q k'/sqrt(e)) v` through means of consecutive queries and keys, in O(n).

    Source: Xiong et al. 2021, arXiv:2102.03902, equation 13.
    """
    q = q / math.sqrt(q.shape[-1])
    q_means, k_means = (
        torch.stack([part.mean(dim=-2) for part in x.tensor_split(landmarks, dim=-2)], dim=-2)
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

    def heads(self, x: Float[Tensor, "b n m"]) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values `[b, h, n, e]`."""
        parts = self.inputs(self.norm(x)).unflatten(2, (3, LAYER_HEADS, -1)).permute(2, 0, 3, 1, 4)
        return parts[0], parts[1], parts[2]

    def forward(self, x: Float[Tensor, "b n m"]) -> Float[Tensor, "b n m"]:
        """The tokens of bags of one size."""
        q, k, v = self.heads(x)
        if x.shape[1] <= EXACT:
            y = ((q @ k.mT) / math.sqrt(q.shape[-1])).softmax(dim=-1) @ v
        else:
            y = nystrom_attention(q, k, v, x.shape[2] // 2)
        near = self.near(v.permute(0, 3, 1, 2).flatten(0, 1)).unflatten(0, (len(x), -1))
        y = y + near.permute(0, 2, 3, 1)
        out: Tensor = x + self.out(y.transpose(1, 2).flatten(2))
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
        """Bags whose tokens fill squares of one side together."""
        bags = self.embed(rows).tensor_split(offsets[1:-1].tolist())
        sides: dict[int, list[int]] = defaultdict(list)
        for i, bag in enumerate(bags):
            sides[math.ceil(math.sqrt(len(bag)))].append(i)
        logits, attention = [rows.new_empty(0)] * len(bags), [rows.new_empty(0)] * len(bags)
        for side, places in sides.items():
            squares = [_square(bags[i], side) for i in places]
            own, told = self._read(torch.stack(squares), side)
            for i, one, each in zip(places, own, told, strict=True):
                logits[i], attention[i] = one, each[: len(bags[i])]
        scores = torch.cat(attention)[:, None]
        return Reading(torch.stack(logits)[None], scores.expand(-1, self.evidence), scores)

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

    def _read(
        self, h: Float[Tensor, "b n m"], side: int
    ) -> tuple[Float[Tensor, "b k"], Float[Tensor, "b n"]]:
        x = self.first(torch.cat([self.token.expand(len(h), 1, -1), h], dim=1))
        grid = x[:, 1:].mT.unflatten(2, (side, side))
        coded = grid + torch.stack([code(grid) for code in self.positions]).sum(dim=0)
        x = torch.cat([x[:, :1], coded.flatten(2).mT], dim=1)
        q, k, _ = self.second.heads(x)
        attention = torch.einsum("bhe,bhne->bn", q[:, :, 0], k[:, :, 1:]) / q.shape[1]
        logits: Tensor = self.classifier(self.norm(self.second(x)[:, 0]))
        return logits, attention / math.sqrt(q.shape[-1])


def _square(h: Float[Tensor, "n m"], side: int) -> Float[Tensor, "q m"]:
    """A bag's rows and then as many of them again as fill a square."""
    return torch.cat([h, h[: side * side - len(h)]])


@dataclass(eq=False)
class Transmil(BagHead):
    """A transformer over the instances of a bag, in their order; see `BagHead`.

    Up to 256 tokens attention is exact; the paper approximates it always. Bags of more than 16,384
    instances are read in parts.

    Source: Shao et al. 2021, arXiv:2106.00908, section 3.
    """

    name: ClassVar[str] = "transmil"
    net: ClassVar = TransmilNet
    attention: ClassVar[bool] = True
