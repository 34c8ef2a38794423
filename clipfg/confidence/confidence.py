"""Calibration of a head on held-out images: its temperature, certainty and hits."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from clipfg.confidence import temperature_extrapolation
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
"""The confidence of a bound on the error: it fails for at most one calibration in ten."""
FOLDS = "folds of the support"


@dataclass(frozen=True)
class Confidence:
    """A head's answers on held-out images of its classes; levels are chosen later.

    `factor` is `1 / T` on the head's logits. Of each held-out image, `certainty` is the calibrated
    probability of the predicted class, and `hits` says whether that was correct; `own` is the
    calibrated probability of the true class, and `labels` are those classes. `source` is where the
    images come from, `FOLDS` for cross-fitting. `ood` detects images of no class; None if not
    requested. `remarks` are later findings on a test set, a sentence each. `unit` is what has an
    answer: an image or a bag of them.
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
    unit: str = "image"

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
        """Calibrate a fitted head on images that it has not learnt from.

        Those are `calibration`, classified by the head itself: then guarantees rest only on
        exchangeability with later images (except that the temperature, one number, is fitted on
        them too). By default they are the folds of `support`, each classified by a head fitted on
        the others. Those heads have learnt from fewer images: their logits have another scale, for
        which `temperature_extrapolation.factor_of_all` corrects, and they are slightly less
        accurate, which makes guarantees conservative, though no theorem says so.

        `trials` are `without_classes(...)`, if the caller has them already.

        Raises `DataError` if nothing can be held out: one image of each class.
        """
        if calibration is not None:
            logits = head.logits(calibration.items.given_to(type(head)))
            labels = calibration.labels
            factor = own_factor = fit_temperature(logits, labels)
            seen: Iterable[OODInputs] = [
                OODInputs(factor * logits, calibration.items.compared, support)
            ]
        else:
            fitted = CrossFit.of(head, support, seed, temperature_extrapolation.FOLDS)
            if not fitted.folds:
                raise DataError(
                    "Expected a class with two images to calibrate on, got one image of each class;"
                    " add images, or calibrate on others with --calibration SPLIT."
                )
            logits, labels, own_factor = fitted.logits, fitted.labels, fitted.factor
            factor = temperature_extrapolation.factor_of_all(head, fitted, seed)
            seen = (
                OODInputs(own_factor * fold.logits, fold.items.compared, fold.train)
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
            unit="image" if support.bags is None else "bag",
        )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def guaranteed(self) -> bool:
        """Whether the head itself has learnt from none of the images."""
        return self.source != FOLDS

    @property
    def shots(self) -> int:
        """Images of the largest class."""
        return int(torch.bincount(self.labels).max())

    def calibrated(self, logits: Float[Tensor, "n c"]) -> Float[Tensor, "n c"]:
        """Logits whose softmax is the calibrated probability; no prediction changes."""
        return self.factor * logits

    def threshold(self, target: float) -> SelectionThreshold | None:
        """The certainty above which at most `target` of the answers are wrong.

        It holds with probability `CERTAINTY`; None if these images cannot show it.
        """
        return abstention_threshold(self.certainty, self.hits, target, CERTAINTY)

    def quantile(self, level: float) -> float:
        """The largest `1 - p` of a class in a set; above 1 if there are too few images."""
        return conformal_quantile(1 - self.own.double(), level)

    def quantiles(self, level: float) -> Float[Tensor, " c"]:
        """The same for each class from its own images, or from all images if it has too few."""
        own = class_quantiles(1 - self.own.double(), self.labels, self.classes, level)
        return torch.where(own.isfinite(), own, self.quantile(level))

    def with_enough(self, level: float) -> Bool[Tensor, " c"]:
        """Which classes have enough images for a quantile of their own."""
        counts = torch.bincount(self.labels, minlength=self.classes)
        return counts >= fewest_calibrating(level)

    def to_fields(self) -> dict[str, Any]:
        """Plain values and tensors, for `save_head(..., extras={"confidence": ...})`."""
        detector = vars(self.ood) if self.ood else {}
        own = {key: value for key, value in vars(self).items() if key != "ood"}
        return own | {f"unknown_{key}": value for key, value in detector.items()}

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Self:
        """The inverse of `to_fields`. Raises `DataError` for anything else."""
        try:
            fields = {"unit": "image"} | dict(fields)  # not in older files
            own = {key: fields[key] for key in cls.__dataclass_fields__ if key != "ood"}
            detector = None
            if "unknown_score" in fields:
                names = OODDetector.__dataclass_fields__
                detector = OODDetector(**{key: fields[f"unknown_{key}"] for key in names})
            return cls(**own | {"ood": detector, "remarks": tuple(own["remarks"])})
        except KeyError as error:
            raise DataError(
                f"Expected a complete calibration of the head, got one without {error}; fit and"
                " save the head again."
            ) from None
