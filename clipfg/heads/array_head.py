"""The logits of fitted heads by NumPy alone, for predictions that need torch for nothing else.

Of the heads whose logits are a few products of matrices. Learning, and everything else about a
head, is in its own file.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from clipfg.functional.array_similarity import cosine_logits
from clipfg.types import unit_norm

Rows = NDArray[np.float32]
Fitted = Mapping[str, Any]
"""A head's arguments, and what `fit` has computed, by name."""


@dataclass(frozen=True)
class ArrayHead:
    """A fitted head of a kind in `SCORES`; `factor` calibrates its logits."""

    consumes: ClassVar[str] = "pooled"

    name: str
    fitted: Fitted
    factor: float = 1.0

    @classmethod
    def zero_shot(cls, weights: Rows, scale: float, bias: float) -> Self:
        """The classifier on text weights `[c, d]`, see `ZeroShot`."""
        return cls("zero-shot", {"weights_": weights, "scale": scale, "bias": bias})

    def logits(self, features: Rows) -> Rows:
        """Scores `[n, c]` of features `[n, d]`, as `Head.logits` gives them, up to rounding.

        Raises `DataError` for features of another width and for rows that are zero or not finite.
        """
        return self.factor * SCORES[self.name](self.fitted, unit_norm(features))


def _cosines(own: Fitted, x: Rows) -> Rows:
    return cosine_logits(x, own["weights_"], own["scale"], own["bias"])


def _linear(own: Fitted, x: Rows) -> Rows:
    return cosine_logits(x, own["weights_"]) + own["bias_"]


def _probe(own: Fitted, x: Rows) -> Rows:
    if not (floor := own["floor_"]):
        return _linear(own, x)
    return _linear(own, x) + cosine_logits(x, own["floor_texts_"], floor)


def _texts(own: Fitted, x: Rows) -> Rows:
    return cosine_logits(x, own["texts_"], own["scale"])


def _turned(own: Fitted, x: Rows) -> Rows:
    rows = (x - own["centre_"]) @ own["projection_"]
    return rows / np.linalg.norm(rows, axis=1, keepdims=True).clip(1e-12)


def _whitened(own: Fitted, x: Rows) -> Rows:
    return own["scale"] * _turned(own, x) @ own["weights_"].T


def _kernel(own: Fitted, x: Rows) -> Rows:
    near = np.exp(2 * own["gamma"] * (_turned(own, x) @ own["keys_"].T - 1))
    return own["scale"] * near @ own["dual_"]


MEMBERS = {"whitened-mean": _whitened, "kernel-ridge": _kernel}
DEFAULTS = {"scale": 100.0, "bias": 0.0, "gamma": 2.0}
"""The settings that logits depend on; the members of `auto` are made with these."""
OTHERS = {
    *("alpha", "cost", "floor", "iterations", "normalise", "penalty", "seed", "shrinkage", "steps")
}
"""The settings that matter to learning alone."""


def _auto(own: Fitted, x: Rows) -> Rows:
    texts, parts = cosine_logits(x, own["texts_"], own["tau_"]), []
    for place, (name, spread) in enumerate(zip(own["members_"], own["spreads_"], strict=True)):
        start = f"m{place}_"
        learnt = {k.removeprefix(start): v for k, v in own.items() if k.startswith(start)}
        parts.append(MEMBERS[name](DEFAULTS | learnt, x) / spread)
    blend = np.stack(parts).mean(axis=0)  # where shapes differ this raises, a sum would not
    return texts + own["beta_"] * blend


SCORES: dict[str, Callable[[Fitted, Rows], Rows]] = {
    "zero-shot": _cosines,
    "class-mean": _cosines,
    **dict.fromkeys(("linear-probe", "cross-modal-linear-probe"), _probe),
    **dict.fromkeys(("lp++", "gda"), _linear),
    "whitened-mean": lambda own, x: _texts(own, x) + own["alpha_"] * _whitened(own, x),
    "kernel-ridge": lambda own, x: _texts(own, x) + own["alpha_"] * _kernel(own, x),
    "auto": _auto,
}
"""What each kind of head makes of unit-norm rows."""


def scores(name: Any, settings: Any) -> bool:
    """Whether that is a kind in `SCORES`, of whose settings all are known here."""
    known = isinstance(settings, Mapping) and settings.keys() <= DEFAULTS.keys() | OTHERS
    return known and isinstance(name, str) and name in SCORES
