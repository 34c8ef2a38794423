"""Class texts as a prior of class means: where images of a class are expected to lie."""

from jaxtyping import Float
from torch import Tensor

from clipfg.heads.support import Support

WORTH = 8.0
"""Images of its class that a text counts as."""


def expected_means(support: Support) -> Float[Tensor, "c d"] | None:
    """`m_k = mean + s (t_k - mean text)`: class means by the texts alone; None without texts.

    Images and texts of CLIP lie in different cones, but differences between texts point where
    differences between images do. `s` is by least squares over the classes, and never negative:
    where texts say nothing of the images it is about 0, and every class expects the common mean.
    """
    if support.texts is None:
        return None
    texts = support.texts - support.texts.mean(dim=0)
    means = support.means - support.means.mean(dim=0)
    slope = (means * texts).sum() / texts.square().sum().clamp_min(1e-12)
    return support.features.mean(dim=0) + slope.clamp_min(0) * texts


def posterior_means(
    support: Support, expected: Float[Tensor, "c d"] | None
) -> Float[Tensor, "c d"]:
    """`(kappa m_k + n_k mean_k) / (kappa + n_k)`, with `kappa` of `WORTH`; without texts the means.

    The mean of a class that is drawn around `m_k` with a `kappa`-th of the spread within classes,
    given `n_k` images of it.
    """
    if expected is None:
        return support.means
    counts = support.counts[:, None]
    return (WORTH * expected + counts * support.means) / (WORTH + counts)
