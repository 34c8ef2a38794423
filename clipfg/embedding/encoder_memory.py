"""What is known of encoders, kept in the cache beside their embeddings.

It holds as long as the files that an encoder was read from, the code that reads them and the
machine are what they were; else the encoder is opened, and what it says kept in its place.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from clipfg.data.sources import signature_of
from clipfg.embedding.cache import EmbeddingCache, is_settled
from clipfg.embedding.known_encoder import EncoderFacts
from clipfg.encoders.precision import cpu_name
from clipfg.paths import expanded
from clipfg.types import content_hash

if TYPE_CHECKING:
    from clipfg.encoders.base import Encoder

LIBRARIES = ("torch", "open_clip", "transformers")
"""Another version of one may read the same files in another way."""
VARIABLES = (
    *("HOME", "HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME"),
    *("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"),
)
"""Of the environment: where models lie, and which GPUs are there."""
GPUS = ("nvidia[0-9]*", "kfd", "dxg")
"""What Linux calls them in `/dev`."""


def recall(cache: EmbeddingCache, name: str, precision: str, device: str) -> EncoderFacts | None:
    """The facts of the encoder that `load_encoder` would open; None where they are not known."""
    if not (kept := cache.fact(_key(name, precision, device))):
        return None
    with suppress(ValueError, TypeError, KeyError, OSError):  # another version's, or files are gone
        known = json.loads(kept)
        if known["state"] == _state(map(Path, known["places"]), time.time_ns()):
            return EncoderFacts(**known["facts"])
    return None


def keep(
    cache: EmbeddingCache, name: str, precision: str, device: str, encoder: Encoder, since_ns: int
) -> None:
    """Keep the facts of an encoder that `load_encoder` has opened for these arguments.

    It began to at `since_ns`: files that have changed from then on may not be those it read.

    Not of one whose scale lies in a pickle, which is read as a whole, or whose files are so new
    that they may change again unseen; nor of a plug-in's without files.
    """
    files: tuple[Path, ...] = getattr(getattr(encoder, "files", None), "hashed", ())
    code = getattr(sys.modules[type(encoder).__module__], "__file__", None)
    if not (files and code) or any(x.suffix != ".safetensors" for x in encoder.files.weights):  # type: ignore[attr-defined]
        return
    places = [*sorted({place for path in files for place in _places(path)}), Path(code)]
    with suppress(OSError):
        if state := _state(places, since_ns):
            facts = asdict(EncoderFacts.of(encoder))
            known = {"facts": facts, "places": list(map(str, places)), "state": state}
            cache.put_fact(_key(name, precision, device), json.dumps(known))


def _key(name: str, precision: str, device: str) -> str:
    """What decides, beside the files themselves, which encoder a name opens and how."""
    part = next((part for part in (name, name.rpartition(":")[2]) if expanded(part).exists()), None)
    where = str(expanded(part).resolve()) if part else ""
    gpus = sorted(str(path) for kind in GPUS for path in Path("/dev").glob(kind))
    machine = [platform.machine(), cpu_name(), *gpus, *(os.environ.get(n, "") for n in VARIABLES)]
    asked = [name, where, precision, device, *machine, _state(_code(), time.time_ns())]
    return f"encoder/{content_hash(json.dumps(asked).encode()).hex()}"


def _code() -> Iterator[Path]:
    """The code that reads encoders."""
    yield from sorted(Path(__file__).parents[1].joinpath("encoders").rglob("*.py"))
    for name in LIBRARIES:
        if (found := find_spec(name)) and found.origin:
            yield Path(found.origin)


def _places(path: Path) -> Iterator[Path]:
    """The folder that a file lies in, and for one of the hub's what says which revision counts."""
    yield path.parent
    for folder in path.parents:
        if folder.parent.name == "snapshots":
            yield folder.parent.parent / "refs"


def _state(places: Iterable[Path], seen_ns: int) -> str:
    """A hash of the names and signatures of files and of all in folders.

    Empty where one changed just before `seen_ns` or later, and may change again unseen.
    """
    entries = []
    for place in places:
        for path in sorted(place.iterdir()) if place.is_dir() else (place,):
            found = signature_of(path.stat())
            if path.is_file() and not is_settled(found, seen_ns):
                return ""
            entries.append((str(path), *found))
    return content_hash(json.dumps(entries).encode()).hex()
