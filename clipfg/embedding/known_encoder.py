"""An encoder by what is known of it, which is opened when more is asked.

Opening one loads no weights, yet imports torch and reads configurations: several times as long as
all that a run takes whose embeddings are cached.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import RLock
from typing import TYPE_CHECKING, Any, Self, get_args

if TYPE_CHECKING:
    from clipfg.encoders.base import Encoder, Precision, TextPath
    from clipfg.functional.similarity import Scoring


@dataclass(frozen=True)
class EncoderFacts:
    """What a run whose embeddings are cached asks of an encoder; see `Encoder`."""

    name: str
    precision: Precision
    device: str
    dim: int
    scoring: Scoring
    logit_scale: float
    logit_bias: float
    context_lengths: dict[TextPath, int]
    dense_version: str
    input_shape: str
    any_shape: bool
    fingerprints: dict[Precision, str]
    """By the number format that it could be asked for in."""

    @classmethod
    def of(cls, encoder: Encoder) -> Self:
        """Those of an encoder; loads its weights where they are a pickle, for the scale."""
        from clipfg.encoders.base import Precision

        kinds: tuple[Precision, ...] = get_args(Precision)
        plain = {name: getattr(encoder, name) for name in cls.__dataclass_fields__ if name in PLAIN}
        return cls(
            **plain,
            device=str(encoder.device),
            context_lengths=dict(encoder.context_lengths),
            fingerprints={kind: encoder.at(kind).fingerprint for kind in kinds},
        )


PLAIN = EncoderFacts.__dataclass_fields__.keys() - {"device", "context_lengths", "fingerprints"}


class KnownEncoder:
    """Stands in for an `Encoder` whose facts are at hand; `open_encoder` makes it when needed.

    It has the facts as attributes; every other attribute is that of the encoder itself. It may be
    used from several threads, which open the encoder once.
    """

    def __init__(self, facts: EncoderFacts, open_encoder: Callable[[], Encoder]) -> None:
        vars(self).update(vars(facts))
        self.precision = facts.precision
        self.facts = facts
        self._open = open_encoder
        self._opened: Encoder | None = None
        self._lock = RLock()

    @property
    def fingerprint(self) -> str:
        """That of `Encoder.fingerprint`."""
        return self.facts.fingerprints[self.precision]

    @property
    def text_paths(self) -> tuple[TextPath, ...]:
        """Those of `Encoder.text_paths`."""
        return tuple(self.facts.context_lengths)

    @property
    def opened(self) -> Encoder:
        """The encoder itself."""
        with self._lock:
            if self._opened is None:
                self._opened = self._open()
            return self._opened

    def at(self, precision: Precision) -> KnownEncoder:
        """The same encoder in another number format."""
        twin = KnownEncoder(self.facts, lambda: self.opened.at(precision))
        twin.precision = precision
        return self if precision == self.precision else twin

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what copying and pickling look for is not the encoder's
            raise AttributeError(name)
        return getattr(self.opened, name)
