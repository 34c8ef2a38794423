"""Cross-attention between patches and sentences, both ways, with a sigmoid for a softmax."""

from jaxtyping import Bool, Float
from torch import Tensor, nn


class SigmoidCrossAttention(nn.Module):
    """sigmoid(QK'/sqrt d) V: a patch reads the sentences, a sentence reads the patches.

    With a sigmoid a patch may read no sentence at all. Each side has its own queries, keys and
    values, of width `dim`.

    Source: Lan et al. 2025, CM-CGNS, arXiv:2506.11674.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.scale = dim**-0.5
        self.patches = nn.Linear(dim, 3 * dim)  # queries, keys, values
        self.sentences = nn.Linear(dim, 3 * dim)

    def forward(
        self,
        patches: Float[Tensor, "b p d"],
        sentences: Float[Tensor, "b s d"],
        mask: Bool[Tensor, "b s"],
    ) -> tuple[Float[Tensor, "b p d"], Float[Tensor, "b s d"]]:
        """What each patch read in its image's sentences, and what each sentence saw in the patches.

        Sentences where `mask` is False are padding: nothing reads them. What they see is not
        meant to be used.
        """
        patch_q, patch_k, patch_v = self.patches(patches).chunk(3, dim=-1)
        text_q, text_k, text_v = self.sentences(sentences).chunk(3, dim=-1)
        reading = (patch_q @ text_k.mT * self.scale).sigmoid() * mask[:, None]
        seeing = (text_q @ patch_k.mT * self.scale).sigmoid()
        return reading @ text_v, seeing @ patch_v
