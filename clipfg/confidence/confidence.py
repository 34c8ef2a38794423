"""What held-out images tell of a head: its temperature, and how sure and right it was on each."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from clipfg.confidence import ood_detector, temperature_extrapolation
from clipfg.confidence.ood_detector import OODDetector, OODInputs
from clipfg.confidence.unseen_classes import UnseenClassTrial
from clipfg.errors import DataError
from clipfg.functional.conformal import class_quantiles, conformal_quantile, fewest_calibrating
from clipfg.functional.scaling import fit_temperature
from clipfg.functional.selective import SelectionThreshold, abstention_threshold
from clipfg.functional.similarity import top_classes
from clipfg.heads import Head
from clipfg.heads.held_out import CrossFit
from clipfg.heads.support import Support

CERTAINTY = 0.9
"""How sure a bound on the error is: it fails for one calibration in ten at the most."""
FOLDS = "folds of the support"


@dataclass(frozen=True)
class Confidence:
    """Held-out images of the head's classes, as the head saw them; levels are asked for later.

    Attributes
    ----------
    factor
        `1 / T` on the head's logits.
    certainty, hits
        Of each held-out image `[n]`: the calibrated probability of the class that was named, and
        whether it was right.
    own, labels
        The calibrated probability of the true class, and which it is.
    classes
        How many there are.
    source
        Where the images come from; `FOLDS` for cross-fitting.
    ood
        How images of no class are told; None where that was not asked or could not be learnt.
    remarks
        What a test has shown of it since, a sentence each.
    """

    factor: float
    certainty: Float[Tensor, " n"]
    hits: Bool[Tensor, " n"]
    own: Float[Tensor, " n"]
    labels: Int[Tensor, " n"]
    classes: int
    source: str
    ood: OODDetector | None = None
    remarks: tuple[str, ...] = ()

    @classmethod
    def fit(
        cls,
        head: Head,
        support: Support,
        calibration: Support | None = None,
        *,
        seed: int = 0,
        source: str = "",
        unknown: bool = False,
        trials: list[UnseenClassTrial] | None = None,
    ) -> Self:
        """Look at a fitted head through images that it has not learnt from.

        Those of `calibration`, seen through the head itself: then guarantees rest on
        exchangeability with later images alone (but for the temperature, one number, which is
        fitted on them too). Without, folds of `support`, each seen through a head fitted on the
        others. Those heads have learnt from fewer images: their logits have another scale, for
        which `temperature_extrapolation.factor_of_all` allows, and they name fewer images rightly,
        which makes guarantees err on
        the careful side. That is no theorem.

        `trials` are `without_classes(...)`, where the caller has them already.

        Raises `DataError` where nothing can be held out: one image of each class.
        """
        if calibration is not None:
            logits, labels = head.logits(calibration.features), calibration.labels
            factor = own_factor = fit_temperature(logits, labels)
            seen: Iterable[OODInputs] = [OODInputs(factor * logits, calibration.features, support)]
        else:
            fitted = CrossFit.of(head, support, seed, temperature_extrapolation.FOLDS)
            if not fitted.folds:
                raise DataError(
                    "Expected two images of a class to learn confidence from, got one of each;"
                    " add images, or name others by --calibration SPLIT."
                )
            logits, labels, own_factor = fitted.logits, fitted.labels, fitted.factor
            factor = temperature_extrapolation.factor_of_all(head, fitted, seed)
            seen = (
                OODInputs(own_factor * fold.logits, fold.features, fold.train)
                for fold in fitted.folds
            )
        found = OODDetector.fit(head, support, seen, factor, seed, trials) if unknown else None
        shares = (own_factor * logits).float().softmax(dim=1)
        return cls(
            factor=factor,
            certainty=shares.amax(dim=1),
            hits=top_classes(logits, 1)[:, 0] == labels,
            own=shares.gather(1, labels[:, None])[:, 0],
            labels=labels,
            classes=support.classes,
            source=source or FOLDS,
            ood=found,
        )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def guaranteed(self) -> bool:
        """Whether the images were held out of everything that the head learnt from."""
        return self.source != FOLDS

    @property
    def shots(self) -> int:
        """Images of the class that has the most."""
        return int(torch.bincount(self.labels).max())

    def calibrated(self, logits: Float[Tensor, "n c"]) -> Float[Tensor, "n c"]:
        """Logits whose softmax is the calibrated probability; no prediction changes."""
        return self.factor * logits

    def threshold(self, target: float) -> SelectionThreshold | None:
        """Above which certainty to answer so that at most `target` of the answers are wrong.

        It holds with probability `CERTAINTY`; None where these images cannot show it anywhere.
        """
        return abstention_threshold(self.certainty, self.hits, target, CERTAINTY)

    def quantile(self, level: float) -> float:
        """The largest `1 - p` of a class in a set; above 1 where there are too few images."""
        return conformal_quantile(1 - self.own.double(), level)

    def quantiles(self, level: float) -> Float[Tensor, " c"]:
        """The same for each class from its own images; all images' where it has too few."""
        own = class_quantiles(1 - self.own.double(), self.labels, self.classes, level)
        return torch.where(own.isfinite(), own, self.quantile(level))

    def with_enough(self, level: float) -> Bool[Tensor, " c"]:
        """Which classes have enough images for sets of their own."""
        counts = torch.bincount(self.labels, minlength=self.classes)
        return counts >= fewest_calibrating(level)

    def to_fields(self) -> dict[str, Any]:
        """Plain values and tensors, for `save_head(..., extras={"confidence": ...})`."""
        own = {key: getattr(self, key) for key in _own_fields()}
        more = ood_detector.to_fields(self.ood) if self.ood else {}
        return own | more

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Self:
        """What `to_fields` made. Raises `DataError` for anything else."""
        try:
            own = {key: fields[key] for key in _own_fields()}
            own["remarks"] = tuple(own["remarks"])
            return cls(**own, ood=ood_detector.from_fields(fields))
        except KeyError as error:
            raise DataError(
                f"Expected a whole record of the head's confidence, got one without {error}; fit"
                " and save the head again."
            ) from None


def _own_fields() -> list[str]:
    return [key for key in Confidence.__dataclass_fields__ if key != "ood"]
