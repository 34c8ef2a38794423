"""Heads as estimators of scikit-learn; import it by `clipfg.heads.as_sklearn`."""

from collections.abc import Callable
from functools import cache
from inspect import Parameter, Signature, signature
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from clipfg.errors import UsageError
from clipfg.heads.base import HEADS, Head


class HeadClassifier(ClassifierMixin, BaseEstimator):
    """A head behind scikit-learn's interface; each head has a subclass with its parameters.

    A row stands for its direction alone; scikit-learn asks for an answer to a row of zeros too,
    which counts as one of equal numbers.

    Attributes
    ----------
    classes_
        The labels, sorted, in the order of the columns of `predict_proba`.
    head_
        The fitted head.
    """

    _name: str

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Learn from features `[n, d]` and a label for each, text or number."""
        features, labels = validate_data(self, X, y, dtype=np.float32)
        check_classification_targets(labels)
        self.classes_, numbers = np.unique(labels, return_inverse=True)
        head: Head = HEADS.get(self._name)(**self.get_params())
        self.head_ = head.fit(_directed(features), torch.from_numpy(numbers))
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float32]:
        """The softmax of the head's logits `[n, c]`; `CalibratedClassifierCV` calibrates it."""
        check_is_fitted(self)
        features = validate_data(self, X, reset=False, dtype=np.float32)
        with torch.inference_mode():
            return self.head_.logits(_directed(features)).softmax(dim=1).numpy()

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The likeliest label of each row."""
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    def __reduce__(self) -> tuple[Callable[[str], Any], tuple[str], Any]:
        return _make, (self._name,), self.__getstate__()


@cache
def classifier(name: str) -> type[HeadClassifier]:
    """The estimator class of a head. Raises `UsageError` for one that needs texts or patches."""
    kind = HEADS.get(name)
    if kind.needs_texts or kind.consumes != "pooled":
        raise UsageError(
            f"Expected a head that learns from features of whole images alone, got {name!r}; try"
            " gda."
        )
    parameters = signature(kind).parameters

    def __init__(self: HeadClassifier, **given: Any) -> None:  # noqa: N807
        for key, parameter in parameters.items():
            setattr(self, key, given.get(key, parameter.default))

    own = Parameter("self", Parameter.POSITIONAL_OR_KEYWORD)
    keywords = (each.replace(kind=Parameter.KEYWORD_ONLY) for each in parameters.values())
    __init__.__signature__ = Signature([own, *keywords])  # type: ignore[attr-defined]
    attributes = {"__init__": __init__, "__doc__": kind.__doc__, "_name": name}
    return type(f"{kind.__name__}Classifier", (HeadClassifier,), attributes)


def _directed(rows: NDArray[np.float32]) -> Tensor:
    return torch.from_numpy(np.where(rows.any(axis=1, keepdims=True), rows, np.float32(1)))


def _make(name: str) -> HeadClassifier:
    return classifier(name)()
