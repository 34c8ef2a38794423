"""Which encoder made features, and whether it is the one at hand."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from clipfg.errors import DataError
from clipfg.types import Features

if TYPE_CHECKING:
    from clipfg.encoders import Encoder
    from clipfg.heads.saving import SavedHead
    from clipfg.store import KeyStore

logger = logging.getLogger("clipfg")


MadeBy: TypeAlias = "KeyStore | SavedHead"
"""What says which encoder made it, by `model` and `precision`: empty where it does not know."""


@dataclass(frozen=True)
class Provenance:
    """The encoder that made features; a file of features knows its fingerprint at most."""

    fingerprint: str = ""
    model: str = ""
    precision: str = ""


def check_same_encoder(features: Features, encoder: Encoder) -> None:
    """Raises `DataError` when features were made by another encoder than the one at hand."""
    if features.dim != encoder.dim:
        raise DataError(
            f"Expected features {encoder.dim} wide, as {encoder.name} makes them, got"
            f" {features.dim}; name the --model that made them."
        )
    if not features.fingerprint:
        logger.warning(
            f"The features do not say which encoder made them; if it was not {encoder.name}, the"
            " results are meaningless."
        )
    elif features.fingerprint != encoder.fingerprint:
        raise DataError(
            f"Expected features of {encoder.name} in {encoder.precision} (fingerprint"
            f" {encoder.fingerprint[:12]}), got those of another encoder, precision or"
            f" preprocessing ({features.fingerprint[:12]}); name the --model and --precision that"
            " made them."
        )


def check_one_encoder(features: Sequence[Features]) -> None:
    """Raises `DataError` for features of different widths or fingerprints."""
    fingerprints = {each.fingerprint for each in features} - {""}
    if len({each.dim for each in features}) > 1 or len(fingerprints) > 1:
        made = [f"{each.dim} wide by {each.fingerprint[:12] or 'unknown'}" for each in features]
        raise DataError(
            f"Expected features of one encoder, got {' and '.join(made)}; embed all images with the"
            " same --model."
        )
