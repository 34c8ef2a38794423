"""Opens the vision-language model of `--lvlm`: a folder, or a repository of the hub."""

import torch

from clipfg.embedding.cache import EmbeddingCache
from clipfg.encoders.base import DTYPES
from clipfg.encoders.hub import locate
from clipfg.encoders.model_files import TOKENIZER_FILES, VOCABULARIES
from clipfg.encoders.precision import fastest_precision
from clipfg.encoders.weights import check_no_code, check_readable, fingerprint_of, read_config
from clipfg.errors import UsageError
from clipfg.icl import LVLM
from clipfg.icl.lvlm import SETTINGS_FILES, WEIGHTS


def open_lvlm(
    name: str,
    device: torch.device,
    cache: EmbeddingCache,
    *,
    precision: str = "auto",
    offline: bool = False,
) -> tuple[LVLM, str]:
    """The model called `name`, on disk now and in memory when first asked, and its fingerprint.

    `auto` is the fastest number format that the device has in hardware. Raises `UsageError` for a
    name that cannot be one, `MissingError` for files that are not on disk and cannot be fetched,
    `DataError` for damaged ones.
    """
    repo = name.removeprefix("hf:")
    remedy = f"run `hf download {repo}`, or choose another --lvlm"
    source = locate(repo, model=repo, offline=offline, remedy=remedy)
    if source is None:
        raise UsageError(
            f"--lvlm must be OWNER/NAME on the hub or the path of a folder, got {name!r}."
        )
    config = source.require("a model configuration", "config.json")
    settings = read_config(config)
    check_no_code(settings, config)
    # The settings files first: once the tokenizer is in the hub's cache, they are taken to be too.
    texts = source.every((*SETTINGS_FILES, *TOKENIZER_FILES), markers=VOCABULARIES)
    weights = source.weights(*WEIGHTS, what="weights in safetensors (pickled ones are not read)")
    for path in weights:
        check_readable(path)
    if precision in ("auto", "int8"):  # which is of image towers
        precision = fastest_precision(device)
    facts = {"family": "lvlm", "model": settings, "precision": precision}
    fingerprint = fingerprint_of(facts, [*weights, *texts], cache.digest)
    return LVLM(source.name, config.parent, device=device, dtype=DTYPES[precision]), fingerprint
