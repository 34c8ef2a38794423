"""The files of one model, wherever they lie, and those that it is made from."""

import json
import shutil
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from clipfg.encoders.weights import read_config
from clipfg.errors import MissingError

VOCABULARIES = (
    "tokenizer.json",
    "vocab.json",
    "vocab.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tokenizer.model",
)
"""A tokenizer has at least one of these."""

TOKENIZER_FILES = (
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "merges.txt",
    *VOCABULARIES,
)
"""What a tokenizer may consist of; every one that exists is hashed into the fingerprint."""


@dataclass(frozen=True, kw_only=True)
class CheckpointFiles(ABC):
    """What every encoder is made from."""

    weights: tuple[Path, ...]
    """The checkpoint: one file or several shards."""
    tokenizer: tuple[Path, ...] = ()
    """Every file that decides how a text becomes tokens."""

    @property
    def hashed(self) -> tuple[Path, ...]:
        """The files whose content decides the features; the configuration is hashed apart."""
        return self.weights + self.tokenizer

    @abstractmethod
    def write(self, folder: Path, model: nn.Module) -> None:
        """Write a checkpoint in the same layout, with the weights of `model`."""

    def copy_tokenizer(self, folder: Path) -> None:
        """Copy the files of the tokenizer."""
        for path in self.tokenizer:
            shutil.copyfile(path, folder / path.name)


def state_of(model: nn.Module) -> dict[str, Tensor]:
    """The weights of a model as safetensors takes them: on the CPU, each with its own memory."""
    return {name: part.detach().cpu().clone() for name, part in model.state_dict().items()}


def write_json(path: Path, value: Any) -> None:
    """Write a configuration."""
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


class ModelSource(ABC):
    """A place that has a model's files, which are asked for by name."""

    @property
    @abstractmethod
    def name(self) -> str:
        """What people call the model, without where it lies."""

    @abstractmethod
    def first(self, *names: str) -> Path | None:
        """The first of `names` that exists, or None."""

    @abstractmethod
    def every(self, names: Sequence[str], markers: Sequence[str]) -> tuple[Path, ...]:
        """All of `names` that exist; where one of the `markers` is on disk, all of them are."""

    def require(self, what: str, *names: str) -> Path:
        """The first of `names` that exists. Raises `MissingError`, which calls it `what`."""
        if (found := self.first(*names)) is None:
            raise self._missing(what, names)
        return found

    def tokenizer(self) -> tuple[Path, ...]:
        """Every file of the tokenizer. Raises `MissingError` where there is no vocabulary."""
        found = self.every(TOKENIZER_FILES, markers=VOCABULARIES)
        if not any(path.name in VOCABULARIES for path in found):
            raise self._missing("a tokenizer", VOCABULARIES)
        return found

    def weights(self, *names: str, what: str = "weights") -> tuple[Path, ...]:
        """The first of `names` that exists; for an index (`*.index.json`), the shards it lists.

        Raises `MissingError` for weights or shards that do not exist.
        """
        found = self.require(what, *names)
        if not found.name.endswith(".index.json"):
            return (found,)
        shards = sorted(set(read_config(found).get("weight_map", {}).values()))
        return tuple(self._shard(found, shard) for shard in shards)

    def _shard(self, index: Path, name: str) -> Path:
        path = self.first(name) if Path(name).name == name else None
        if path is None:
            raise MissingError(f"{index} lists {name!r}, which is not in the folder.")
        return path

    def _missing(self, what: str, names: Sequence[str]) -> MissingError:
        return MissingError(
            f"Expected {what} in {self}, got none; looked for {' or '.join(names)}."
        )


@dataclass(frozen=True)
class ModelFolder(ModelSource):
    """A model's folder."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.path.resolve().name

    def first(self, *names: str) -> Path | None:
        """The first of `names` in the folder, or None."""
        return next((self.path / name for name in names if (self.path / name).is_file()), None)

    def every(self, names: Sequence[str], markers: Sequence[str]) -> tuple[Path, ...]:  # noqa: ARG002
        """All of `names` in the folder."""
        return tuple(self.path / name for name in names if (self.path / name).is_file())
