"""What an encoder that `clipfg finetune` has made says of itself where it is used.

It lies in the checkpoint's folder: what it was made of (`provenance.json`), and the pictures that
it was trained on (`pictures.npy`, half of the hash of each file).
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipfg.embedding.cache import EmbeddingCache
from clipfg.embedding.content_hash import contents_of
from clipfg.embedding.framing import Framing
from clipfg.errors import DataError
from clipfg.trees import parse_json

PROVENANCE = "provenance.json"
PICTURES = "pictures.npy"


def provenance_of(model: str) -> dict[str, Any]:
    """What a checkpoint was made of, by its folder or encoder's name; empty where none says so."""
    try:
        return dict(parse_json((_folder(model) / PROVENANCE).read_text(encoding="utf-8")))
    except (OSError, TypeError, ValueError, DataError):
        return {}


def framing_said(model: str, framing: Framing | None) -> str:
    """A warning where an encoder was tuned on boxes cut out otherwise; else empty.

    `framing` is that of the pictures at hand. One that was tuned on whole pictures may be shown
    anything: these may have been cut out beforehand.
    """
    made = provenance_of(model)
    learnt = made.get("framing")
    if not isinstance(learnt, dict) or not made.get("share_of_tuned_weights"):
        return ""
    crop, own = learnt.get("crop"), framing.crop if framing else "whole"
    if own == crop:
        return ""
    return (
        f"The encoder was tuned on boxes, cut out (--crop {crop}), and sees other things here"
        f" ({own}): boxes by --boxes FILE or --dataset and the same --crop are what it knows."
    )


def save_pictures(model: Path, base: str, contents: Iterable[bytes]) -> None:
    """Keep which pictures, by the hashes of their files, weights and their base were trained on."""
    np.save(model / PICTURES, np.union1d(_pictures(base), _numbers(contents)))


def seen_said(model: str, uris: Iterable[str], cache: EmbeddingCache) -> str:
    """A warning where an encoder was trained on pictures that it is measured on; else empty."""
    learnt = _pictures(model)
    if not len(learnt):
        return ""
    own = _numbers(contents_of(uris, cache).values())
    seen = int(np.isin(own, learnt).sum())
    if not seen:
        return ""
    return (
        f"The encoder was trained on {seen:,} of these {len(own):,} pictures, so accuracy on them"
        " says little of others; measure it on pictures that it has not learnt from."
    )


def _folder(model: str) -> Path:
    return Path(model.rpartition(":")[2])


def _pictures(model: str) -> NDArray[np.uint64]:
    try:
        return np.load(_folder(model) / PICTURES, allow_pickle=False).astype(np.uint64)
    except (OSError, ValueError, EOFError):
        return _numbers(())


def _numbers(contents: Iterable[bytes]) -> NDArray[np.uint64]:
    """The first half of each hash, each once."""
    return np.unique(np.frombuffer(b"".join(one[:8] for one in contents), np.uint64))
