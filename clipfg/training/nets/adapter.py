"""A bottleneck beside frozen features, blended with them by a ratio."""

from jaxtyping import Float
from torch import Tensor, nn


class Adapter(nn.Module):
    """`ratio` x ReLU(W2 ReLU(W1 x)) + (1 - `ratio`) x x, on features of width `dim`.

    W1 narrows to dim / `reduction`, without biases. At ratio 0 features pass unchanged.

    Source: Gao et al. 2021, CLIP-Adapter, arXiv:2110.04544, equations 4 to 7.
    """

    def __init__(self, dim: int, reduction: int = 4, ratio: float = 0.2) -> None:
        super().__init__()
        self.ratio = ratio
        self.layers = nn.Sequential(
            nn.Linear(dim, max(dim // reduction, 1), bias=False),
            nn.ReLU(),
            nn.Linear(max(dim // reduction, 1), dim, bias=False),
            nn.ReLU(),
        )

    def forward(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch d"]:
        """The blend; its norm is not 1."""
        return self.ratio * self.layers(x) + (1 - self.ratio) * x
