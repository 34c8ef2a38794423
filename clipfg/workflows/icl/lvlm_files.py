"""Where a vision-language model's files are: in a folder, or in the hub's cache."""

from pathlib import Path

import torch

from clipfg.embedding.cache import EmbeddingCache
from clipfg.encoders.base import DTYPES
from clipfg.encoders.hub import TOKENIZER_FILES, cached_file, fetch, fetch_tokenizer
from clipfg.encoders.precision import fastest_precision
from clipfg.encoders.weights import check_readable, fingerprint_of, read_config
from clipfg.errors import MissingError, UsageError
from clipfg.icl import LVLM

WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
SETTINGS = (
    "processor_config.json",
    "preprocessor_config.json",
    "video_preprocessor_config.json",
    "chat_template.jinja",
    "chat_template.json",
    "generation_config.json",
)
"""Optional files beside `config.json`; a processor that needs one and lacks it says so."""


def open_lvlm(
    name: str,
    device: torch.device,
    cache: EmbeddingCache,
    *,
    precision: str = "auto",
    offline: bool = False,
) -> tuple[LVLM, str]:
    """The model called `name`, on disk now and in memory when first asked, and its fingerprint.

    `auto` is the fastest number format that the device has in hardware. Raises `MissingError` for
    what is not on disk and cannot be fetched, `DataError` for damaged files.
    """
    folder, short = _find(name, offline=offline)
    weights = _weights(folder)
    for path in weights:
        check_readable(path)
    if precision == "auto":
        precision = fastest_precision(device)
    facts = {"family": "lvlm", "model": read_config(folder / "config.json"), "precision": precision}
    texts = [folder / file for file in (*SETTINGS, *TOKENIZER_FILES) if (folder / file).is_file()]
    fingerprint = fingerprint_of(facts, [*weights, *texts], cache.digest)
    return LVLM(short, folder, device=device, dtype=DTYPES[precision]), fingerprint


def _find(name: str, *, offline: bool) -> tuple[Path, str]:
    """The folder of a model and its short name. `name` is a path, or `[hf:]OWNER/NAME`."""
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise MissingError(
                f"Expected a vision-language model with a config.json in {folder}, got none."
            )
        return folder, folder.resolve().name
    repo = name.removeprefix("hf:")
    if repo.count("/") != 1 or name.startswith((".", "/", "~")):
        raise UsageError(
            f"--lvlm must be OWNER/NAME on the hub or the path of a folder, got {name!r}."
        )
    return _fetch(repo, offline=offline), repo.partition("/")[2]


def _fetch(repo: str, *, offline: bool) -> Path:
    """The folder of a hub repository in its cache, downloaded if need be; weights come last.

    Once they are there, so is the rest, and the network is not used.
    """
    mend = f"run `hf download {repo}`; or give another --lvlm"
    config = fetch(repo, ["config.json"], name=repo, offline=offline, mend=mend)
    if config is None:
        raise MissingError(f"The hub's {repo} has no config.json; is it a transformers model?")
    if not _all_cached(repo):
        fetch_tokenizer(repo, name=repo, offline=offline, mend=mend)
        for file in SETTINGS:
            if not offline:
                fetch(repo, [file], name=repo, offline=offline, mend=mend)
        for file in _listed(fetch(repo, WEIGHTS, name=repo, offline=offline, mend=mend)):
            fetch(repo, [file], name=repo, offline=offline, mend=mend)
    return config.parent


def _all_cached(repo: str) -> bool:
    first = next((path for file in WEIGHTS if (path := cached_file(repo, file))), None)
    return first is not None and all(cached_file(repo, file) for file in _listed(first))


def _listed(weights: Path | None) -> list[str]:
    """The shards that an index lists; none for a single file."""
    if weights is None or weights.name != WEIGHTS[1]:
        return []
    return sorted(set(read_config(weights).get("weight_map", {}).values()))


def _weights(folder: Path) -> list[Path]:
    for file in WEIGHTS:
        path = folder / file
        if not path.is_file():
            continue
        shards = _listed(path) or [file]
        for shard in shards:
            if Path(shard).name != shard or not (folder / shard).is_file():
                raise MissingError(f"{path} lists {shard!r}, which is not in the folder.")
        return [folder / shard for shard in shards]
    raise MissingError(
        f"Expected weights in safetensors ({' or '.join(WEIGHTS)}) in {folder}, got none; pickled"
        " ones are not read."
    )
