"""Cross-modal linear probe: class texts are one more shot of each class."""

from dataclasses import dataclass
from typing import ClassVar

from clipfg.heads.linear_probe import LinearProbe


@dataclass(eq=False)
class CrossModalLinearProbe(LinearProbe):
    """Logistic regression on images and texts alike: each class's text weight is a sample too.

    `C` is chosen on held-out images; texts are trained on in every fold. Parameters and
    attributes are those of `linear-probe`.

    Source: Lin et al. 2023, arXiv:2301.06267, equations 4 and 5.
    """

    name: ClassVar[str] = "cross-modal-linear-probe"
    needs_texts: ClassVar[bool] = True
