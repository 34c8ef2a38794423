"""Rebuilds dropped patches from those left and from what each place read in the text."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn


class MaskedDecoder(nn.Module):
    """Dropped patches become one learnt token; text is added; a transformer layer; a linear map.

    `dim` is the width of the patches, `out` of the values to rebuild (the pixels of a patch).
    A dropped patch loses its position too, so each place has a learnt one here.

    Source: after Lan et al. 2025, CM-CGNS, arXiv:2506.11674 (masked image reconstruction).
    """

    def __init__(self, dim: int, out: int, patches: int, heads: int = 4) -> None:
        super().__init__()
        self.missing = nn.Parameter(torch.zeros(dim))
        self.positions = nn.Parameter(torch.randn(patches, dim) * 0.02)
        self.fuse = nn.Linear(2 * dim, dim)
        self.layer = nn.TransformerEncoderLayer(
            dim, heads, 4 * dim, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.out = nn.Linear(dim, out)

    def forward(
        self,
        patches: Float[Tensor, "b p d"],
        read: Float[Tensor, "b p d"],
        dropped: Bool[Tensor, "b p"],
    ) -> Float[Tensor, "b p v"]:
        """Values of all patches, from those not dropped and what each place `read` in the text.

        If the attention behind `read` saw the dropped patches, a little of them passes through it.
        """
        kept = torch.where(dropped[..., None], self.missing.to(patches), patches) + self.positions
        return self.out(self.layer(self.fuse(torch.cat((kept, read), dim=-1))))


def draw_dropped(
    images: int, patches: int, generator: torch.Generator, share: float = 0.5
) -> Bool[Tensor, "b p"]:
    """Which patches to drop: the same number in every image, drawn anew for each.

    On the generator's device.
    """
    chance = torch.rand(images, patches, generator=generator, device=generator.device)
    return chance.argsort(dim=1).argsort(dim=1) < round(share * patches)
