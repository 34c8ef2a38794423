"""A head that a contrastive loss is computed on, thrown away after training."""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import normalize


class ProjectionHead(nn.Module):
    """Linear, ReLU, linear: features of width `dim` to unit-norm rows of width `out`.

    Source: Chen et al. 2020, SimCLR, arXiv:2002.05709, section 2; 128 wide as in Khosla et al.
    2020, arXiv:2004.11362.
    """

    def __init__(self, dim: int, out: int = 128, hidden: int | None = None) -> None:
        super().__init__()
        hidden = hidden or dim
        self.layers = nn.Sequential(nn.Linear(dim, hidden), nn.ReLU(), nn.Linear(hidden, out))

    def forward(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch o"]:
        """Project and normalise."""
        return normalize(self.layers(x), dim=-1)
