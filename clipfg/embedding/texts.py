"""Embeddings of texts: each distinct text once, in batches of similar length, all cached."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from clipfg.embedding.cache import EmbeddingCache
from clipfg.errors import DataError
from clipfg.types import Progress, content_hash, unit_norm

if TYPE_CHECKING:
    from clipfg.encoders.base import Encoder, TextPath


def embed_texts(
    texts: Sequence[str],
    encoder: Encoder,
    cache: EmbeddingCache | None,
    *,
    path: TextPath | Sequence[TextPath] = "short",
    batch_size: int = 64,
    progress: Progress | None = None,
) -> NDArray[np.float32]:
    """Unit-norm features of texts `[t, d]`, in their order.

    `path` is the way through the text tower, for all of them or for each. Where all are cached,
    neither weights nor tokenizer are loaded. `progress` is called with the number of distinct texts
    done and their total. Raises `DataError` for a text whose features are zero or not finite.
    """
    paths = [path] * len(texts) if isinstance(path, str) else path
    keys = [_key(text, own) for text, own in zip(texts, paths, strict=True)]
    vectors = cache.get("texts", encoder.fingerprint, list(dict.fromkeys(keys))) if cache else {}
    paths_of: dict[bytes, TextPath] = dict(zip(keys, paths, strict=True))
    new = {key: text for key, text in zip(keys, texts, strict=True) if key not in vectors}
    total = len(new) + len(vectors)
    # Towers pad a batch to its longest text; sorted by length, little time is lost on padding.
    lengths = dict(zip(new, encoder.count_tokens(list(new.values())), strict=True)) if new else {}
    order = sorted(new, key=lambda key: (paths_of[key], lengths[key], key))
    for own, group in groupby(order, key=lambda key: paths_of[key]):
        alike = list(group)
        for start in range(0, len(alike), batch_size):
            batch = alike[start : start + batch_size]
            made = _encode({key: new[key] for key in batch}, encoder, own)
            if cache is not None:
                cache.put("texts", encoder.fingerprint, encoder.name, made)
            vectors |= made
            if progress is not None:
                progress(len(vectors), total)
    if not keys:
        return np.empty((0, encoder.dim), dtype=np.float32)
    return np.stack([vectors[key] for key in keys])


def _key(text: str, path: TextPath) -> bytes:
    """What the features of a text are kept under; those of the short path by the text alone."""
    kept_as = text if path == "short" else f"\0{path}\0{text}"
    return content_hash(kept_as.encode(errors="surrogatepass"))


def _encode(
    texts: dict[bytes, str], encoder: Encoder, path: TextPath
) -> dict[bytes, NDArray[np.float32]]:
    import torch

    # Encoders with one text tower, such as those of plug-ins, need not know of paths.
    more = {} if path == "short" else {"path": path}
    with torch.inference_mode():
        rows = encoder.encode_texts(list(texts.values()), **more).float().cpu().numpy()
    norms = np.linalg.norm(rows.astype(np.float64), axis=1)
    for text, norm in zip(texts.values(), norms, strict=True):
        if not np.isfinite(norm) or norm == 0:
            raise DataError(
                f"Expected finite features, got none for {text[:60]!r} from {encoder.name} in"
                f" {encoder.precision}; try --precision fp32."
            )
    return dict(zip(texts, unit_norm(rows), strict=True))
