"""The files of a transformers checkpoint, in a folder or a hub repository."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from clipfg.encoders.model_files import CheckpointFiles, ModelSource, write_json
from clipfg.encoders.weights import read_config, read_model_config
from clipfg.errors import MissingError

WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin")
"""A single file, the index of several, or a pickle of tensors; the first that exists counts."""

PROCESSORS = ("processor_config.json", "preprocessor_config.json")


@dataclass(frozen=True, kw_only=True)
class TransformersFiles(CheckpointFiles):
    """The files in `folder`, the content of `config.json`, and the image processor's settings."""

    folder: Path
    config: dict[str, Any]
    processor: dict[str, Any]

    def write(self, folder: Path, model: nn.Module) -> None:
        """Write the layout of transformers, with the processor's settings as they were read."""
        with quiet():
            model.save_pretrained(folder)  # type: ignore[operator]
        write_json(folder / "config.json", self.config)
        write_json(folder / "preprocessor_config.json", self.processor)
        self.copy_tokenizer(folder)


def files_from(source: ModelSource) -> TransformersFiles:
    """The files of a checkpoint in transformers' layout.

    Raises `MissingError` when one does not exist or cannot be had, `DataError` for a configuration
    that is not one or that refers to code of its own.
    """
    config = source.require("a model configuration", "config.json")
    return TransformersFiles(
        folder=config.parent,
        config=read_model_config(config),
        processor=_processor(source),
        tokenizer=source.tokenizer(),
        weights=source.weights(*WEIGHTS),
    )


def _processor(source: ModelSource) -> dict[str, Any]:
    names = list(PROCESSORS)
    while path := source.first(*names):
        settings = read_config(path)
        inner = settings.get("image_processor", settings)
        if isinstance(inner, dict) and ("image_mean" in inner or "size" in inner):
            return inner
        names.remove(path.name)
    raise MissingError(
        f"Expected the settings of an image processor in {source}, got none; looked for"
        f" {' or '.join(PROCESSORS)}."
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Without transformers' progress bars and warnings; anything that matters is raised."""
    from transformers.utils import logging

    verbosity, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bar:
            logging.enable_progress_bar()
