"""The files of an FG-CLIP in its published layout, and how one is recognised."""

import json
import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from torch import nn

from clipfg.encoders.base import TextPath
from clipfg.encoders.model_files import CheckpointFiles, ModelSource, state_of, write_json
from clipfg.encoders.weights import read_config, read_shapes
from clipfg.errors import DataError, UsageError

WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
PROCESSORS = ("preprocessor_config.json", "processor_config.json")

Version = Literal[1, 2]

MARKS: Mapping[Version, tuple[str, ...]] = {
    1: ("text_filip_projection.", "visual_projection."),
    2: ("longtext_head.", "boxtext_head.", "dense_feature_head.", "vision_model.head."),
}
"""Parameters by which a version is told."""
OWN = (
    *("text_filip_projection.", "longtext_head.", "boxtext_head.", "dense_feature_head."),
    "text_model.embeddings.position_embedding_res.",
)
"""Parameters that no CLIP and no SigLIP has."""

TABLES: Mapping[TextPath, str] = {
    "short": "text_model.embeddings.position_embedding.weight",
    "long": "text_model.embeddings.position_embedding_res.weight",
    "box": "text_model.embeddings.position_embedding.weight",
}


@dataclass(frozen=True, kw_only=True)
class FgClipFiles(CheckpointFiles):
    """The files in `folder`, the configurations as data, and the shape of each parameter."""

    folder: Path
    config: dict[str, Any]
    processor: dict[str, Any]
    shapes: dict[str, tuple[int, ...]]
    version: Version

    def write(self, folder: Path, model: nn.Module) -> None:
        """Write the published layout."""
        from safetensors.torch import save_file

        save_file(state_of(model), folder / WEIGHTS[0], metadata={"format": "pt"})
        write_json(folder / "config.json", self.config)
        write_json(folder / PROCESSORS[0], self.processor)
        self.copy_tokenizer(folder)

    def lengths(self, published: Mapping[TextPath, int]) -> dict[TextPath, int]:
        """The rows of the table of each text path; a published length where it is missing."""
        return {path: self.shapes.get(TABLES[path], (most,))[0] for path, most in published.items()}


def files_from(source: ModelSource) -> FgClipFiles:
    """The files of a checkpoint; its configuration may name code, which is never run.

    Raises `MissingError` where one is missing, `UsageError` for another kind of model, `DataError`
    for damaged files.
    """
    config = source.require("a model configuration", "config.json")
    settings = read_config(config)
    weights = source.weights(*WEIGHTS, what="weights in safetensors")
    shapes: dict[str, tuple[int, ...]] = {}
    try:
        for path in weights:
            shapes |= read_shapes(path)
    except DataError:  # told when they are used, unless the configuration alone says too little
        if not is_fgclip(settings):
            raise
    if not is_fgclip(settings, shapes):
        raise UsageError(
            f"Expected an FG-CLIP in {source}, got another model (type"
            f" {settings.get('model_type')!r}); hf: reads CLIP, SigLIP and others."
        )
    processor = source.first(*PROCESSORS)
    return FgClipFiles(
        folder=config.parent,
        config=settings,
        processor=_image_processor(processor) if processor else {},
        tokenizer=source.tokenizer(),
        weights=weights,
        shapes=shapes,
        version=_version(settings, shapes),
    )


def _image_processor(path: Path) -> dict[str, Any]:
    settings = read_config(path)
    inner = settings.get("image_processor", settings)
    if not isinstance(inner, dict):
        raise DataError(f"Expected the settings of an image processor in {path}, got others.")
    return inner


def is_fgclip(config: Mapping[str, Any], parameters: Collection[str] = ()) -> bool:
    """Whether a configuration names an FG-CLIP, or parameters are those of one."""
    named = [config.get(key) for key in ("model_type", "architectures", "auto_map")]
    plain = re.sub(r"[^a-z0-9]", "", json.dumps(named).lower())
    return "fgclip" in plain or any(name.startswith(OWN) for name in parameters)


def _version(config: Mapping[str, Any], parameters: Collection[str]) -> Version:
    """By the parameters; where they have the marks of neither, by the name in the configuration."""
    for version, marks in MARKS.items():
        if any(name.startswith(marks) for name in parameters):
            return version
    return 2 if "2" in str(config.get("model_type")) else 1


def holds_fgclip(folder: Path) -> bool:
    """Whether a folder with a `config.json` holds an FG-CLIP; damaged files are not judged here."""
    names: Collection[str] = ()
    with suppress(DataError):
        if (weights := folder / WEIGHTS[0]).is_file():
            names = read_shapes(weights)
        elif (index := folder / WEIGHTS[1]).is_file():
            names = read_config(index).get("weight_map", {})
    with suppress(DataError):
        return is_fgclip(read_config(folder / "config.json"), names)
    return False
