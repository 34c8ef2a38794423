"""Reading a `Reliability` back from plain values."""

from collections.abc import Callable, Mapping
from typing import Any

from clipfg.evaluation.reliability.reliability import (
    CalibrationResult,
    OODResult,
    PredictionSetResult,
    SelectiveResult,
)
from clipfg.evaluation.report.report import LevelRow
from clipfg.evaluation.report.rolled_up import RolledUp
from clipfg.evaluation.statistics.severity import Severity
from clipfg.types import Estimate

_ESTIMATES = ("answered", "wrong", "coverage", "called_unknown", "mean", "right", "accuracy")


def parse(content: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `Reliability`."""
    kinds: dict[str, Callable[..., Any]] = {
        "raw": CalibrationResult,
        "calibrated": CalibrationResult,
        "answering": SelectiveResult,
        "sets": PredictionSetResult,
        "ood": OODResult,
        "rolled_up": RolledUp,
        "severity": Severity,
    }
    own = dict(content)
    for key, kind in kinds.items():
        own[key] = kind(**_estimates(own[key])) if own[key] is not None else None
    if own["sets"] is not None:
        rows = tuple(tuple(row) for row in content["sets"]["by_class"])
        own["sets"] = PredictionSetResult(**_estimates(content["sets"]) | {"by_class": rows})
    own["risk"] = tuple(tuple(point) for point in own["risk"])
    own["by_level"] = tuple(LevelRow(**_estimates(row)) for row in own["by_level"])
    own["guarantees"] = tuple(own["guarantees"])
    return own


def _estimates(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: Estimate(**value) if key in _ESTIMATES and isinstance(value, Mapping) else value
        for key, value in fields.items()
    }
