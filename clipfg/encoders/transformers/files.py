"""Where a transformers checkpoint's files lie: a folder or the hub's cache."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipfg.encoders.hub import TOKENIZER_FILES, VOCABULARIES, fetch, fetch_tokenizer
from clipfg.encoders.weights import read_config
from clipfg.errors import DataError, MissingError

WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin")
"""A single file, the list of several, or a pickle of tensors; the first that is there counts."""

PROCESSORS = ("processor_config.json", "preprocessor_config.json")


@dataclass(frozen=True)
class TransformersFiles:
    """What a transformers encoder is made from.

    Parameters
    ----------
    folder
        Where all of it lies.
    config
        The content of `config.json`.
    processor
        The image processor's settings.
    weights
        One or several files.
    tokenizer
        Every file that decides how a text becomes tokens.
    """

    folder: Path
    config: dict[str, Any]
    processor: dict[str, Any]
    weights: tuple[Path, ...]
    tokenizer: tuple[Path, ...]


def files_in_folder(folder: Path) -> TransformersFiles:
    """The files of a folder in transformers' layout.

    Raises `MissingError` when something is not there, `DataError` for a configuration that is not
    one or that asks for code of its own.
    """
    if not (folder / "config.json").is_file():
        raise MissingError(
            f"Expected a transformers model with a config.json, got {folder}, which has none."
        )
    config = read_config(folder / "config.json")
    if "auto_map" in config:
        raise DataError(
            f"{folder / 'config.json'} asks for code of its own, which clipfg never executes;"
            " use a checkpoint of a model that transformers knows."
        )
    tokenizer = tuple(folder / name for name in TOKENIZER_FILES if (folder / name).is_file())
    if not any(path.name in VOCABULARIES for path in tokenizer):
        raise MissingError(
            f"Expected a tokenizer ({', '.join(VOCABULARIES)}) in {folder}, got none."
        )
    return TransformersFiles(folder, config, _processor(folder), _weights(folder), tokenizer)


def _processor(folder: Path) -> dict[str, Any]:
    for name in PROCESSORS:
        if (folder / name).is_file():
            settings = read_config(folder / name)
            inner = settings.get("image_processor", settings)
            if isinstance(inner, dict) and ("image_mean" in inner or "size" in inner):
                return inner
    raise MissingError(
        f"Expected an image processor's settings ({' or '.join(PROCESSORS)}) in {folder}, got none."
    )


def _weights(folder: Path) -> tuple[Path, ...]:
    for name in WEIGHTS:
        if not (folder / name).is_file():
            continue
        if not name.endswith(".index.json"):
            return (folder / name,)
        shards = sorted(set(read_config(folder / name).get("weight_map", {}).values()))
        for shard in shards:
            if Path(shard).name != shard or not (folder / shard).is_file():
                raise MissingError(f"{folder / name} lists {shard!r}, which is not in the folder.")
        return tuple(folder / shard for shard in shards)
    raise MissingError(f"Expected weights ({', '.join(WEIGHTS)}) in {folder}, got none.")


def files_of_repository(repo: str, *, offline: bool) -> TransformersFiles:
    """The files of a hub repository, from the cache or downloaded.

    Raises what `fetch` and `files_in_folder` raise.
    """
    name = f"hf:{repo}"
    config = fetch(repo, ["config.json"], name=name, offline=offline)
    if config is None:
        raise MissingError(f"The hub's {repo} has no config.json; is it a transformers model?")
    if fetch(repo, PROCESSORS, name=name, offline=offline) is None:
        raise MissingError(
            f"The hub's {repo} has no image processor settings; is it a dual encoder?"
        )
    fetch_tokenizer(repo, name=name, offline=offline)
    weights = fetch(repo, WEIGHTS, name=name, offline=offline)
    if weights is not None and weights.name.endswith(".index.json"):
        for shard in sorted(set(read_config(weights).get("weight_map", {}).values())):
            fetch(repo, [shard], name=name, offline=offline)
    return files_in_folder(config.parent)
