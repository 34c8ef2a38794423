"""Opens the vision-language model of `--lvlm`: a folder, or a repository of the hub."""

import torch

from clipfg.embedding.cache import EmbeddingCache
from clipfg.encoders.base import DTYPES
from clipfg.encoders.hub import locate
from clipfg.encoders.model_files import TOKENIZER_FILES, VOCABULARIES
from clipfg.encoders.precision import fastest_precision
from clipfg.encoders.weights import check_readable, fingerprint_of, read_config
from clipfg.errors import UsageError
from clipfg.icl import LVLM
from clipfg.icl.lvlm import SETTINGS_FILES, WEIGHTS
from clipfg.settings import Settings


def open_lvlm(settings: Settings, device: torch.device, cache: EmbeddingCache) -> tuple[LVLM, str]:
    """The model of `--lvlm`, on disk now and in memory when first asked, and its fingerprint.

    It computes on the encoder's device. `--precision auto` means the fastest format that the
    device has in hardware. Raises `UsageError` for a name that cannot be one, `MissingError` for
    files that are not on disk and cannot be fetched, `DataError` for damaged ones.
    """
    assert settings.lvlm is not None
    name = settings.lvlm.removeprefix("hf:")
    remedy = f"run `hf download {name}`, or choose another --lvlm"
    source = locate(name, model=name, offline=settings.offline, remedy=remedy)
    if source is None:
        raise UsageError(
            f"Expected --lvlm OWNER/NAME of the hub or the path of a folder, got {settings.lvlm!r}."
        )
    config = source.require("a model configuration", "config.json")
    # The settings files first: once the tokenizer is in the hub's cache, they are taken to be too.
    texts = source.every((*SETTINGS_FILES, *TOKENIZER_FILES), markers=VOCABULARIES)
    weights = source.weights(*WEIGHTS, what="weights in safetensors (pickled ones are not read)")
    for path in weights:
        check_readable(path)
    auto = settings.precision == "auto"
    precision = fastest_precision(device) if auto else settings.precision
    facts = {"family": "lvlm", "model": read_config(config), "precision": precision}
    fingerprint = fingerprint_of(facts, [*weights, *texts], cache.digest)
    return LVLM(source.name, config.parent, device=device, dtype=DTYPES[precision]), fingerprint
