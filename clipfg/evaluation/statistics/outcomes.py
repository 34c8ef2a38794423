"""What is kept of each scored item: a few numbers, never a row of logits."""

from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

TOP_K = 5


@dataclass(frozen=True)
class Outcomes:
    """Columns over labelled items, some 20 bytes for each.

    `labels` and `predictions` are the true and the predicted class index; `in_top_k` says whether
    the true class is among the `TOP_K` best; `nll` is `-log softmax(logits)[label]` in nats, and
    `confidence` the softmax probability of the predicted class.
    """

    labels: NDArray[np.int32]
    predictions: NDArray[np.int32]
    in_top_k: NDArray[np.bool_]
    nll: NDArray[np.float32]
    confidence: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def hits(self) -> NDArray[np.bool_]:
        """Whether each prediction is right."""
        return self.predictions == self.labels

    def select(self, which: NDArray[Any]) -> Self:
        """The items that an index array or a boolean mask picks."""
        return type(self)(**{f.name: getattr(self, f.name)[which] for f in fields(self)})

    @classmethod
    def join(cls, parts: list[Self]) -> Self:
        """All items of several batches, in order; `parts` is not empty."""
        return cls(
            **{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)}
        )
