"""The embedding cache, emptied."""

from pathlib import Path

from clipfg.embedding.cache import EmbeddingCache, remove_cache
from clipfg.errors import StoreError


def clear_cache(folder: Path, encoder: str | None) -> str:
    """Delete one encoder's embeddings, or all; says what was deleted. A damaged file goes whole."""
    try:
        with EmbeddingCache(folder) as cache:
            return f"Deleted {cache.clear(encoder):,} embeddings."
    except StoreError:
        return f"The cache was damaged: deleted it, {remove_cache(folder):,} bytes."
