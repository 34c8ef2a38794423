"""A head from a file is tried on its own tensors before it meets features."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clipfg.errors import ClipfgError, DataError
from clipfg.functional.array_similarity import as_array
from clipfg.heads.array_head import ArrayHead
from clipfg.types import unit_norm

if TYPE_CHECKING:
    from clipfg.heads.base import Head

TRIED = 256
"""Rows of a head's own tensors that it is tried on when it is loaded."""
UNFIT = (
    *(RuntimeError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError),
    ClipfgError,
)
"""What a head raises whose values do not fit one another."""


def tried_width(head: Head[Any] | ArrayHead, classes: int | None, path: Path | str) -> int | None:
    """The largest width of features that a head gives logits for; None where it has no tensor.

    Raises `DataError` for values that are not finite, and for tensors that fit neither one another
    nor the number of classes, where that is known.
    """
    arrays = _arrays(head)
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise DataError(
                f"Expected finite values in the head {str(path)!r}, got NaN or infinity in {name};"
                " fit it again."
            )
    # The width of features is that of some tensor: which one is the head's own business.
    widths = sorted({side for array in arrays.values() for side in array.shape}, reverse=True)
    width = next((width for width in widths if takes(head, width, classes)), None)
    if width is None and (widths or isinstance(head, ArrayHead)):
        raise DataError(
            f"Expected a head whose tensors fit one another and its {classes or ''} classes, got"
            f" {str(path)!r}, which gives no logits; fit it again."
        )
    return width


def takes(head: Head[Any] | ArrayHead, width: int, classes: int | None) -> bool:
    """Whether a head gives finite logits of unit-norm features that are so wide."""
    rows = _rows(head, width)
    try:
        with np.errstate(all="ignore"):
            logits = head.logits(rows) if isinstance(head, ArrayHead) else _logits(head, rows)
    except UNFIT:
        return False
    fits = logits.ndim == 2 and len(logits) == len(rows) and classes in (None, logits.shape[1])
    return fits and bool(np.isfinite(logits).all())


def _logits(head: Head[Any], rows: NDArray[np.float32]) -> NDArray[Any]:
    import torch

    from clipfg.heads.base import FeatureSets

    x = torch.from_numpy(rows)
    ends, grids = torch.arange(len(x) + 1), torch.ones(len(x), 2, dtype=torch.int64)
    with torch.inference_mode():
        return as_array(
            head.logits(x if head.consumes == "pooled" else FeatureSets(x, ends, grids))
        )


def _rows(head: Head[Any] | ArrayHead, width: int) -> NDArray[np.float32]:
    """Features that meet much of a head: the last rows of its own tensors, such as keys."""
    own = [array[-TRIED:] for array in _arrays(head).values() if array.shape[1:] == (width,)]
    rows = np.concatenate([np.ones((1, width)), *own]).astype(np.float32)
    return unit_norm(rows[rows.any(axis=1)])


def _arrays(head: Head[Any] | ArrayHead) -> dict[str, NDArray[Any]]:
    return {name: as_array(value) for name, value in head.fitted.items() if hasattr(value, "shape")}
