"""FG-CLIP encoders: published checkpoints behind the interface of every encoder."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Unpack, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from clipfg.encoders.base import Encoder, TextPath
from clipfg.encoders.checkpoint import CheckpointEncoder, EncoderOptions
from clipfg.encoders.fgclip.fgclip1 import FgClip1
from clipfg.encoders.fgclip.fgclip2 import FgClip2
from clipfg.encoders.fgclip.files import FgClipFiles, Version, files_from
from clipfg.encoders.fgclip.loading import load_model
from clipfg.encoders.fgclip.model import NO_TOKENS
from clipfg.encoders.hub import locate
from clipfg.encoders.naflex import NaFlexPreprocessing, PatchBatch
from clipfg.encoders.preprocessing import Preprocessing
from clipfg.encoders.tokenizers import load_tokenizer
from clipfg.encoders.towers import VisionTower
from clipfg.encoders.towers.transformers import transformers_tower
from clipfg.encoders.transformers.image_processors import CLIP, preprocessing_of
from clipfg.errors import DataError, MissingError
from clipfg.functional.regions import align_regions

MODELS: Mapping[Version, type[FgClip1] | type[FgClip2]] = {1: FgClip1, 2: FgClip2}

BUDGETS = (128, 256, 576, 784, 1024)
"""Patches that FG-CLIP 2 was trained with; an image's own size decides among them."""


def load(rest: str, *, offline: bool, **options: Unpack[EncoderOptions]) -> Encoder:
    """The encoder of a hub repository, or of a folder in the published layout."""
    name = f"fgclip:{rest}"
    source = locate(rest, model=name, offline=offline)
    if source is None:
        raise MissingError(f"Expected a folder with an FG-CLIP, got {rest!r}, which is not there.")
    return FgClipEncoder(name, files_from(source), **options)


@final
class FgClipEncoder(CheckpointEncoder[FgClipFiles]):
    """FG-CLIP 1 or 2, with its short, long and box text paths; regions by RoIAlign."""

    def _configure(self) -> None:
        self._kind = MODELS[self.files.version]
        self._lengths = self.files.lengths(self._kind.LENGTHS)
        self.context_length = self._lengths["short"]
        self.scoring = "softmax" if self.files.version == 1 else "sigmoid"
        config = self.files.config
        try:
            vision = dict(config.get("vision_config") or {})
            width = vision.get("hidden_size", 768)
            self.dim = int(config.get("projection_dim", 512) if self.files.version == 1 else width)
            self.preprocessing = self._preprocessing(vision)
        except (TypeError, ValueError) as error:
            raise DataError(
                f"Expected a usable vision_config in config.json of {self.name}, got another"
                f" ({error})."
            ) from None

    def _preprocessing(self, vision: Mapping[str, Any]) -> Preprocessing:
        if self.files.version == 1:
            side = int(vision.get("image_size", 224))
            return _square(side, CLIP | self.files.processor)
        patch = int(vision.get("patch_size", 16))
        side = int(BUDGETS[-1] ** 0.5) * patch
        flat = _square(side, {"resample": 2, **self.files.processor})
        return NaFlexPreprocessing(**vars(flat), budgets=BUDGETS, patch=patch)

    @property
    def context_lengths(self) -> Mapping[TextPath, int]:
        """The text paths, each with its longest text in tokens."""
        return self._lengths

    def _facts(self) -> Mapping[str, Any]:
        return {"family": "fgclip", "version": self.files.version, "model": self.files.config}

    def _build(self) -> nn.Module:
        return load_model(self._kind, self.files, self._lengths)

    @cached_property
    def tokenizer(self) -> Any:
        """The checkpoint's own tokenizer."""
        from transformers import CLIPConfig, Siglip2Config

        kind = CLIPConfig if self.files.version == 1 else Siglip2Config
        config = kind(text_config=NO_TOKENS)  # for a folder that does not name its tokenizer
        return load_tokenizer(self.name, self.files.folder, self.files.tokenizer, config=config)

    def _tokens(self, texts: Sequence[str], longest: int) -> Tensor:
        """Token ids, cut at `longest` and padded to it."""
        if self.files.version == 2:
            return self.tokenizer(
                [text.lower() for text in texts],
                padding="max_length",
                truncation=True,
                max_length=longest,
                return_tensors="pt",
            )["input_ids"].to(self.device)
        model: Any = self.model
        ids = self.tokenizer(list(texts), truncation=True, max_length=longest)["input_ids"]
        rows = torch.full((len(texts), longest), model.end)
        for row, own in zip(rows, ids, strict=True):
            row[: len(own)] = torch.tensor(own)
        return rows.to(self.device)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each cleaned text, special ones included, before any truncation."""
        if not texts:
            return []
        lower = self.files.version == 2
        cleaned = [text.lower() if lower else text for text in texts]
        return [len(ids) for ids in self.tokenizer(cleaned, verbose=False)["input_ids"]]

    def _text_features(self, texts: Sequence[str]) -> Tensor:
        return self._path_features(texts, "short")

    def _path_features(self, texts: Sequence[str], path: TextPath) -> Tensor:
        model: Any = self.model
        return model.text_features(self._tokens(texts, self._lengths[path]), path)

    def _image_features(self, inputs: Tensor, *, patches: bool) -> tuple[Tensor, Tensor | None]:
        model: Any = self.model
        pooled, maps = model.features(inputs, dense=patches)
        return pooled, maps.flatten(1, 2) if patches else None

    @cached_property
    def tower(self) -> VisionTower:
        """The inside of FG-CLIP 1's tower, which is CLIP's."""
        model: Any = self.model
        return transformers_tower(
            model, lambda pixels: model.visual_projection(model.vision_model(pixels).pooler_output)
        )

    def _patched_features(
        self, batch: PatchBatch, *, patches: bool
    ) -> tuple[Tensor, Tensor | None]:
        model: Any = self.model
        pooled, tokens = model.features(batch.patches, batch.mask, batch.shapes, dense=patches)
        return pooled, tokens if patches else None

    def pool_regions(
        self, patches: Float[Tensor, "p d"], grid: tuple[int, int], boxes: Float[Tensor, "r 4"]
    ) -> Float[Tensor, "r d"]:
        """RoIAlign, as the model was trained; 0 for an empty box."""
        found = patches.new_zeros((len(boxes), self.dim))
        good = (boxes[:, :2] < boxes[:, 2:]).all(1)
        rows, columns = grid
        cells = boxes[good] * boxes.new_tensor([columns, rows] * 2)
        found[good] = align_regions(patches, grid, cells).to(found)
        return found


def _square(side: int, settings: Mapping[str, Any]) -> Preprocessing:
    """A resize to a square without a crop, whatever else the settings say."""
    size = {"size": {"height": side, "width": side}, "do_center_crop": False}
    return preprocessing_of({**settings, **size, "image_processor_type": "Siglip"})
