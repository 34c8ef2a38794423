"""Classifiers on features, by name."""

from inspect import signature
from typing import TYPE_CHECKING, Any

from clipfg.errors import MissingError, UsageError
from clipfg.lazy import exported
from clipfg.registry import closest

if TYPE_CHECKING:
    from clipfg.heads.base import HEADS, FeatureSets, Head
    from clipfg.heads.saving import SavedHead, load_head, save_head
else:
    homes = dict.fromkeys(("HEADS", "FeatureSets", "Head"), "base")
    homes |= dict.fromkeys(("SavedHead", "load_head", "save_head"), "saving")
    __getattr__, __dir__ = exported(__name__, homes)

__all__ = ["HEADS", "FeatureSets", "Head", "SavedHead", "as_sklearn", "load_head", "save_head"]


def as_sklearn(name: str = "gda", **settings: Any) -> Any:
    """A head as a classifier of scikit-learn, for its pipelines, searches and calibration.

    It takes features `[n, d]` as an array, whose rows are scaled to unit norm, and a label for
    each; `settings` are the head's own. Class texts are left out.

    Raises `UsageError` for an unknown head or setting and for a head that needs texts,
    `MissingError` without scikit-learn.
    """
    from clipfg.heads.base import HEADS

    try:
        from clipfg.heads.sklearn_adapter import classifier
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("sklearn"):
            raise
        raise MissingError(
            "Expected scikit-learn, which is not installed; run `pip install scikit-learn`."
        ) from None
    known = signature(HEADS.get(name)).parameters
    for key in settings:
        if key not in known:
            raise UsageError(f"The head {name} has no setting {key!r}.{closest(key, known)}")
    return classifier(name)(**settings)
