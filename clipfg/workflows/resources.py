"""What the jobs of a session share: the cache, and the encoders that were loaded."""

import logging
import threading

from clipfg.embedding.cache import EmbeddingCache
from clipfg.embedding.precision import settle_precision
from clipfg.encoders import Encoder, load_encoder
from clipfg.options import JobOptions
from clipfg.types import Manifest

logger = logging.getLogger("clipfg")


class Resources:
    """A cache and encoders, for jobs in any number of threads."""

    def __init__(self, options: JobOptions) -> None:
        self._folder = options.cache_dir
        self._cache: EmbeddingCache | None = None
        self._encoders: dict[tuple[str, str, str, bool], Encoder] = {}
        self._lock = threading.RLock()

    @property
    def cache(self) -> EmbeddingCache:
        """The embedding cache, opened when first asked for."""
        with self._lock:
            if self._cache is None:
                self._cache = EmbeddingCache(self._folder)
            return self._cache

    def encoder(
        self, name: str, precision: str, options: JobOptions, images: Manifest | None
    ) -> Encoder:
        """An encoder, loaded once; `auto` is settled on the first images that it meets."""
        key = (name, precision, options.device, precision == "auto" and images is None)
        with self._lock:
            if key in self._encoders:
                return self._encoders[key]
            encoder = load_encoder(
                name,
                precision=precision,  # type: ignore[arg-type]
                device=options.device,
                offline=options.offline,
                digest=self.cache.digest,
                exports=self._folder / "towers",
            )
            if precision == "auto" and images is not None:
                encoder, agreement = settle_precision(encoder, images, self.cache)
                if agreement is not None:
                    logger.info(str(agreement))
            self._encoders[key] = encoder
            return encoder

    def close(self) -> None:
        """Close the cache and let go of the encoders."""
        with self._lock:
            self._encoders.clear()
            if self._cache is not None:
                self._cache.close()
                self._cache = None
