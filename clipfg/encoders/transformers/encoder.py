"""Dual encoders of transformers: CLIP, SigLIP, SigLIP 2, MetaCLIP 2, VisionTextDualEncoder."""

import string
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Unpack, final

import torch
from torch import Tensor, nn

from clipfg.encoders.base import Encoder, Scoring
from clipfg.encoders.checkpoint import CheckpointEncoder, EncoderOptions
from clipfg.encoders.fgclip.files import is_fgclip
from clipfg.encoders.hub import locate
from clipfg.encoders.naflex import NaFlexPreprocessing, PatchBatch
from clipfg.encoders.preprocessing import Preprocessing
from clipfg.encoders.tokenizers import load_tokenizer, tokenizer_settings
from clipfg.encoders.towers import VisionTower
from clipfg.encoders.towers.transformers import transformers_tower
from clipfg.encoders.transformers.files import TransformersFiles, files_from
from clipfg.encoders.transformers.image_processors import preprocessing_of
from clipfg.encoders.weights import read_config
from clipfg.errors import DataError, MissingError, UsageError
from clipfg.registry import closest


@dataclass(frozen=True)
class Architecture:
    """What distinguishes one model type from another."""

    scoring: Scoring = "softmax"
    pad_to_end: bool = False
    """Texts are padded to the context length and the padding is not masked: the text tower was
    trained to read its last position (SigLIP)."""
    lower: bool = False
    """Texts are lower-cased first, since the tokenizers of some published checkpoints do not."""
    naflex: bool = False
    """The image tower takes patches instead of an image."""


ARCHITECTURES: dict[str, Architecture] = {
    "clip": Architecture(),
    "metaclip_2": Architecture(),
    "vision-text-dual-encoder": Architecture(),
    "chinese_clip": Architecture(),
    "altclip": Architecture(),
    "siglip": Architecture("sigmoid", pad_to_end=True, lower=True),
    "siglip2": Architecture("sigmoid", pad_to_end=True, lower=True, naflex=True),
}
"""By `model_type` of config.json. SigLIP 2 of a fixed resolution calls itself `siglip`."""


def load(rest: str, *, offline: bool, **options: Unpack[EncoderOptions]) -> Encoder:
    """The encoder of a hub repository, or of a folder in transformers' layout."""
    name = f"hf:{rest}"
    source = locate(rest, model=name, offline=offline)
    if source is None:
        raise MissingError(f"Expected a folder with a model, got {rest!r}, which is not there.")
    if is_fgclip(read_config(source.require("a model configuration", "config.json"))):
        raise _is_fgclip(rest)
    return TransformersEncoder(name, files_from(source), **options)


def _is_fgclip(rest: str) -> UsageError:
    return UsageError(f"hf:{rest} is an FG-CLIP; name it fgclip:{rest}.")


@final
class TransformersEncoder(CheckpointEncoder[TransformersFiles]):
    """A dual encoder of transformers, with the text rules of its architecture.

    Remote code is never executed. Raises `UsageError` for a model type that is no dual encoder.
    """

    def _configure(self) -> None:
        kind = str(self.files.config.get("model_type"))
        if kind not in ARCHITECTURES:
            raise UsageError(
                f"Expected a dual encoder ({', '.join(ARCHITECTURES)}),"
                f" got {self.name} of type {kind!r}.{closest(kind, ARCHITECTURES)}"
            )
        self.architecture = ARCHITECTURES[kind]
        self.scoring = self.architecture.scoring
        self._vision: dict[str, Any] = self.files.config.get("vision_config") or {}
        self._text: dict[str, Any] = self.files.config.get("text_config") or {}
        self.dim = self._width(kind)
        self.context_length = self._longest_text(kind)
        self.preprocessing = self._preprocessing()

    def _width(self, kind: str) -> int:
        if kind.startswith("siglip"):
            return int(self._vision.get("hidden_size", 768))
        default = 768 if kind == "altclip" else 512
        return int(self.files.config.get("projection_dim", default))

    def _longest_text(self, kind: str) -> int:
        """The tokenizer's own limit, and never more than there are positions."""
        default = 64 if kind.startswith("siglip") else 77
        positions = int(self._text.get("max_position_embeddings", default))
        if "roberta" in str(self._text.get("model_type")) or kind == "altclip":
            positions = int(self._text.get("max_position_embeddings", 514)) - 2
        if self.architecture.pad_to_end:
            return positions
        limit = self._tokenizer_settings.get("model_max_length")
        return positions if limit is None else int(min(float(limit), positions))

    def _preprocessing(self) -> Preprocessing:
        settings = self.files.processor
        if not self.architecture.naflex:
            return preprocessing_of(settings)
        patch, budget = (
            int(settings.get("patch_size", 16)),
            int(settings.get("max_num_patches", 256)),
        )
        side = int(budget**0.5) * patch
        fixed = {"size": {"height": side, "width": side}, "image_processor_type": "Siglip"}
        flat = preprocessing_of({"resample": 2, **settings, **fixed})
        return NaFlexPreprocessing(**vars(flat), budgets=(budget,), patch=patch)

    @cached_property
    def _tokenizer_settings(self) -> dict[str, Any]:
        return tokenizer_settings(self.files.folder)

    def _facts(self) -> Mapping[str, Any]:
        config, length = self.files.config, self.context_length
        return {"family": "transformers", "model": config, "context": length}

    def _build(self) -> nn.Module:
        from transformers import AutoModel

        with quiet():
            model, report = AutoModel.from_pretrained(
                self.files.folder,
                local_files_only=True,
                trust_remote_code=False,
                dtype=torch.float32,
                output_loading_info=True,
            )
        if is_fgclip({}, report["unexpected_keys"]):
            raise _is_fgclip(self.name.removeprefix("hf:"))
        if missing := sorted(report["missing_keys"]):
            raise DataError(
                f"{self.files.weights[0]} lacks {len(missing)} of the model's weights (first:"
                f" {missing[0]}); fetch the checkpoint again."
            )
        return model

    @cached_property
    def tokenizer(self) -> Any:
        """The checkpoint's own tokenizer."""
        return load_tokenizer(self.name, self.files.folder, self.files.tokenizer)

    def _image_features(self, inputs: Tensor, *, patches: bool) -> tuple[Tensor, Tensor | None]:
        if patches:
            return self._with_patches(inputs)
        return self.tower.pooled(inputs), None

    def _pooled(self, inputs: Tensor) -> Tensor:
        towers: Any = self.model
        features: Tensor = towers.get_image_features(pixel_values=inputs).pooler_output
        return features

    @cached_property
    def tower(self) -> VisionTower:
        """The inside of `model.vision_model`."""
        return transformers_tower(self.model, self._pooled)

    def _patched_features(
        self, batch: PatchBatch, *, patches: bool
    ) -> tuple[Tensor, Tensor | None]:
        def run(values: Tensor) -> Tensor:
            towers: Any = self.model
            features: Tensor = towers.get_image_features(
                pixel_values=values,
                pixel_attention_mask=batch.mask.long(),
                spatial_shapes=batch.shapes,
            ).pooler_output
            return features

        if patches:
            return transformers_tower(self.model, run).dense(batch.patches)
        return run(batch.patches), None

    def _clean(self, texts: Sequence[str]) -> list[str]:
        if not self.architecture.lower:
            return list(texts)
        first = self._tokenizer_settings.get("tokenizer_class") == "SiglipTokenizer"
        return [_canonical(text) if first else text.lower() for text in texts]

    def _text_features(self, texts: Sequence[str]) -> Tensor:
        tokens = self.tokenizer(
            self._clean(texts),
            padding="max_length" if self.architecture.pad_to_end else True,
            truncation=True,
            max_length=self.context_length,
            return_tensors="pt",
        ).to(self.device)
        names = ["input_ids"] if self.architecture.pad_to_end else ["input_ids", "attention_mask"]
        if "token_type_ids" in tokens and "token_type_ids" in self.tokenizer.model_input_names:
            names.append("token_type_ids")
        towers: Any = self.model
        return towers.get_text_features(**{name: tokens[name] for name in names}).pooler_output

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each cleaned text, special ones included, before any truncation."""
        if not texts:
            return []
        return [len(ids) for ids in self.tokenizer(self._clean(texts), verbose=False)["input_ids"]]


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


def _canonical(text: str) -> str:
    """SigLIP 1's training texts: lower case, no punctuation, single spaces."""
    bare = text.lower().translate(str.maketrans("", "", string.punctuation))
    return " ".join(bare.split())
