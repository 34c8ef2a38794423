"""What heads on class means under a shared covariance have in common: `gda`, `whitened-mean`."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor

from clipfg.heads.few_shot import FewShotHead
from clipfg.heads.support import Support
from clipfg.heads.text_weighting import share_of_images
from clipfg.heads.within_class import SHRINKAGES, SharedCovariance


@dataclass(eq=False)
class CovarianceHead(FewShotHead):
    """A head that chooses a shrinkage, then weighs its logits against the texts.

    Parameters
    ----------
    shrinkage
        `s`, from 0 to 1. None chooses by seeded folds of the support (`SharedCovariance.choose`).
    alpha
        The factor beside the texts. None measures it (`share_of_images`); 1 without texts.
    """

    shrinkage: float | None = None
    alpha: float | None = None
    scale: float = 100.0
    seed: int = 0

    @abstractmethod
    def covariance(self, support: Support) -> SharedCovariance:
        """The covariance of a support set, with the logits that this head makes under it."""

    def held_out(self, support: Support, rows: Int[Tensor, " m"]) -> Float[Tensor, "m c"]:
        """Logits of images of the support as if they were not in it, at the shrinkage in use."""
        return self.covariance(support).held_out(self.shrinkage_, rows)

    def learn_shrinkage(
        self, covariance: SharedCovariance, candidates: Sequence[float] = SHRINKAGES
    ) -> None:
        """Set `shrinkage_`."""
        given = candidates if self.shrinkage is None else (self.shrinkage,)
        self.shrinkage_ = covariance.choose(given)

    def learn_alpha(
        self, covariance: SharedCovariance, of_means: Callable[[], Tensor], unit: float = 1.0
    ) -> None:
        """Set `alpha_`, where it is measured in multiples of `unit`.

        With one shot it is measured by the logits of class means `[c, c]`.
        """
        self.alpha_ = 1.0 if self.alpha is None else self.alpha
        if self.alpha is None and covariance.support.texts is not None:
            rows = covariance.rows
            logits = covariance.held_out(self.shrinkage_, rows) if len(rows) else of_means()
            self.alpha_ = unit * share_of_images(covariance.support, logits, rows)
