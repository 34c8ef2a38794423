"""Embeddings of texts: each different text once, batches of similar length, all kept."""

import hashlib
from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from clipfg.embedding.cache import EmbeddingCache
from clipfg.encoders.base import Encoder
from clipfg.errors import DataError
from clipfg.types import unit_norm


def embed_texts(
    texts: Sequence[str],
    encoder: Encoder,
    cache: EmbeddingCache | None,
    *,
    batch_size: int = 64,
    progress: Callable[[int, int], None] | None = None,
) -> Float[Tensor, "t d"]:
    """Unit-norm float32 features of texts, in their order.

    Where all are kept, neither weights nor tokenizer are loaded. `progress` is called with the
    different texts done and their number. Raises `DataError` for a text whose features come out as
    zero or not finite.
    """
    keys = [_digest(text) for text in texts]
    known = cache.get("texts", encoder.fingerprint, list(dict.fromkeys(keys))) if cache else {}
    vectors: dict[bytes, NDArray[np.float32]] = dict(known)
    new = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
    total = len(new) + len(known)
    # Towers pad a batch to its longest text: sorted by length, little is spent on padding.
    lengths = dict(zip(new, encoder.count_tokens(list(new.values())), strict=True)) if new else {}
    order = sorted(new, key=lambda key: (lengths[key], key))
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        made = _encode({key: new[key] for key in batch}, encoder)
        if cache is not None:
            cache.put("texts", encoder.fingerprint, encoder.name, made)
        vectors |= made
        if progress is not None:
            progress(len(vectors), total)
    if not keys:
        return torch.empty((0, encoder.dim))
    return torch.from_numpy(np.stack([vectors[key] for key in keys]))


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()


def _encode(texts: dict[bytes, str], encoder: Encoder) -> dict[bytes, NDArray[np.float32]]:
    with torch.inference_mode():
        rows = encoder.encode_texts(list(texts.values())).float().cpu().numpy()
    norms = np.linalg.norm(rows.astype(np.float64), axis=1)
    for text, norm in zip(texts.values(), norms, strict=True):
        if not np.isfinite(norm) or norm == 0:
            raise DataError(
                f"Expected finite features of every text, got none of {text[:60]!r}"
                f" from {encoder.name} in {encoder.precision}; try --precision fp32."
            )
    return dict(zip(texts, unit_norm(rows), strict=True))
