"""What the jobs of a session share: the cache, and the encoders that were loaded."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, cast

from clipfg.embedding.cache import EmbeddingCache
from clipfg.embedding.encoder_memory import keep, recall
from clipfg.embedding.known_encoder import KnownEncoder
from clipfg.embedding.precision import settle_precision
from clipfg.errors import DataError
from clipfg.options import JobOptions
from clipfg.types import Manifest

if TYPE_CHECKING:
    from clipfg.encoders import Encoder

logger = logging.getLogger("clipfg")


class Resources:
    """A cache and encoders, for jobs in any number of threads."""

    def __init__(self, options: JobOptions) -> None:
        self._folder = options.cache_dir
        self._cache: EmbeddingCache | None = None
        self._encoders: dict[tuple[str, str, str, bool], Encoder] = {}
        self._known: dict[tuple[str, str, str, bool], Encoder] = {}
        self._opened: dict[tuple[str, str, str], Encoder] = {}
        self._lock = threading.RLock()

    @property
    def cache(self) -> EmbeddingCache:
        """The embedding cache, opened when first asked for."""
        with self._lock:
            if self._cache is None:
                self._cache = EmbeddingCache(self._folder)
            return self._cache

    def encoder(
        self,
        name: str,
        precision: str,
        options: JobOptions,
        images: Manifest | None,
        *,
        embeds_only: bool = False,
    ) -> Encoder:
        """An encoder, opened once; `auto` is settled on the first images that it meets.

        For a job that `embeds_only`, one that is known is opened where something is not cached.
        """
        key = (name, precision, options.device, precision == "auto" and images is None)
        with self._lock:
            for made in (self._encoders, self._known if embeds_only else {}):
                if key in made:
                    return made[key]
            asked = (name, precision, options.device)
            facts = recall(self.cache, *asked) if embeds_only else None

            def opened() -> Encoder:
                encoder = self._open(*asked, offline=options.offline)
                if facts is not None and encoder.fingerprint != facts.fingerprints[facts.precision]:
                    with self._lock:
                        self._known.clear()
                    raise DataError(
                        f"Expected {name} as it was at the start of the run, got other files or"
                        " another machine; run the command again."
                    )
                return encoder

            encoder = opened() if facts is None else cast("Encoder", KnownEncoder(facts, opened))
            if precision == "auto" and images is not None:
                encoder, agreement = settle_precision(encoder, images, self.cache)
                if agreement is not None:
                    logger.info(str(agreement))
            (self._encoders if facts is None else self._known)[key] = encoder
            return encoder

    def _open(self, name: str, precision: str, device: str, *, offline: bool) -> Encoder:
        from clipfg.encoders import load_encoder

        key = (name, precision, device)
        with self._lock:
            if key not in self._opened:
                since_ns = time.time_ns()
                self._opened[key] = load_encoder(
                    name,
                    precision=precision,  # type: ignore[arg-type]
                    device=device,
                    offline=offline,
                    digest=self.cache.digest,
                    exports=self._folder / "towers",
                )
                keep(self.cache, *key, self._opened[key], since_ns)
            return self._opened[key]

    def close(self) -> None:
        """Close the cache and let go of the encoders."""
        with self._lock:
            for made in (self._encoders, self._known, self._opened):
                made.clear()
            if self._cache is not None:
                self._cache.close()
                self._cache = None
