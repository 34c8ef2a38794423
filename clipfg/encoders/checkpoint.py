"""Encoders whose weights lie in a checkpoint's files: all that families have in common."""

import copy
import secrets
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, NotRequired, Self, TypedDict, TypeVar, Unpack

import torch
from jaxtyping import Float
from torch import Tensor, nn

from clipfg.encoders import quantised, weights
from clipfg.encoders.base import (
    DTYPES,
    Encoder,
    ImageFeatures,
    Pixels,
    Precision,
    TextPath,
    no_patches,
)
from clipfg.encoders.model_files import CheckpointFiles
from clipfg.encoders.naflex import NaFlexPreprocessing, PatchBatch
from clipfg.encoders.quantised import QuantisedTower, weight_bits
from clipfg.encoders.towers.patches import embed_patches_by_products
from clipfg.encoders.weights import Digest
from clipfg.errors import DataError, UsageError

F = TypeVar("F", bound=CheckpointFiles)

LOADING_ERRORS = (RuntimeError, TypeError, ValueError, KeyError, AttributeError, OSError)
"""What libraries raise for weights that do not fit their configuration."""


class EncoderOptions(TypedDict):
    """The options that every family passes on to its encoder."""

    precision: Precision
    device: torch.device
    digest: Digest
    exports: NotRequired[Path | None]


class CheckpointEncoder(Encoder, Generic[F]):
    """An encoder made from files, which are read when its weights are first used.

    A subclass reads the configuration, builds the towers and runs them. Raises `ClipfgError`s for
    a configuration that it cannot use.
    """

    _changing = False
    """Whether a training loop changes the weights."""

    def __init__(self, name: str, files: F, **options: Unpack[EncoderOptions]) -> None:
        self.name = name
        self.files = files
        self.precision = options["precision"]
        self.device = options["device"]
        self._digest = options["digest"]
        self._exports = options.get("exports")
        self._configure()

    @abstractmethod
    def _configure(self) -> None:
        """Set `dim`, `context_length`, `scoring` and `preprocessing` from the configuration."""

    @abstractmethod
    def _facts(self) -> Mapping[str, Any]:
        """What the fingerprint covers besides files, preprocessing and precision."""

    @abstractmethod
    def _build(self) -> nn.Module:
        """The towers with their weights, in float32 on the CPU; may raise `LOADING_ERRORS`."""

    @abstractmethod
    def _image_features(self, inputs: Tensor, *, patches: bool) -> tuple[Tensor, Tensor | None]:
        """Pooled features, and those of patches if asked for, of normalised pixels."""

    def _patched_features(
        self, batch: PatchBatch, *, patches: bool
    ) -> tuple[Tensor, Tensor | None]:
        """As `_image_features`, of images in patches: for encoders with NaFlex preprocessing."""
        raise NotImplementedError

    @abstractmethod
    def _text_features(self, texts: Sequence[str]) -> Tensor:
        """Features of texts."""

    def _path_features(self, texts: Sequence[str], path: TextPath) -> Tensor:
        """Features of texts by another path: for encoders that have several."""
        raise NotImplementedError

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the files, the configuration, the preprocessing and the precision."""
        bits = f", by rows, weights of {weight_bits()} bits" if self.precision == "int8" else ""
        facts = {"preprocessing": vars(self.preprocessing), "precision": self.precision + bits}
        return weights.fingerprint_of({**self._facts(), **facts}, self.files.hashed, self._digest)

    @cached_property
    def model(self) -> nn.Module:
        """The towers as their own library built them, in evaluation mode, without gradients."""
        for path in self.files.weights:
            weights.check_readable(path)
        # Outside of inference mode, or no gradient could go through the weights to the tokens.
        with torch.inference_mode(False):
            try:
                model = self._build()
            except LOADING_ERRORS as error:
                raise weights.damaged(self.files.weights[0], error) from None
            if self.precision != "fp32":
                embed_patches_by_products(model)
            # Channels-last weights are not worth it: 2 to 10 % of the CPU time of a MobileNetV2,
            # which is within the noise, and nothing on a ViT.
            return model.to(self.device, DTYPES[self.precision]).eval().requires_grad_(False)

    # Features are cloned outside of inference mode, so that heads can be trained on them.

    def encode_images(self, pixels: Pixels, *, patches: bool = False) -> ImageFeatures:
        """Features of resized images, and of their patches where the tower has any."""
        if self.precision == "int8":
            quantised.check_quantisable(self.name, any_shape=self.preprocessing.any_shape)
        if isinstance(self.preprocessing, NaFlexPreprocessing):
            return self._encode_shapes(pixels, self.preprocessing, patches=patches)
        if not isinstance(pixels, Tensor):
            pixels = torch.stack(list(pixels))
        inputs = self.inputs(pixels)
        with torch.inference_mode():
            try:
                if self.precision != "int8":
                    pooled, tokens = self._image_features(inputs, patches=patches)
                else:  # patches are not rounded to bytes
                    pooled = self._quantised(inputs)
                    tokens = self._image_features(inputs, patches=True)[1] if patches else None
            except (ValueError, AssertionError, RuntimeError) as error:  # each tower has its own
                if isinstance(error, RuntimeError) and "size of tensor" not in str(error):
                    raise
                raise DataError(
                    f"Expected pictures that the tower of {self.name} takes, got"
                    f" {self.preprocessing.shape} by its preprocessing ({str(error).rstrip('.')});"
                    " correct the size in the preprocessing's configuration."
                ) from None
        return ImageFeatures(
            pooled.float().clone(), None if tokens is None else tokens.float().clone()
        )

    @cached_property
    def _quantised(self) -> QuantisedTower:
        def tower(inputs: Tensor) -> Tensor:
            return self._image_features(inputs, patches=False)[0]

        def export(path: Path) -> None:
            sample = torch.zeros(1, 3, *self.preprocessing.size)
            with torch.inference_mode(False), torch.no_grad():
                quantised.export(self.name, self.model, tower, sample, path)

        return quantised.open_quantised(self._exports, self.fingerprint, self._digest, export)

    def _with_patches(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Pooled features and those of patches. Raises `UsageError` where patches say nothing."""
        if self.tower.silent:
            raise no_patches(self.name, self.tower.silent)
        return self.tower.dense(inputs)

    def _encode_shapes(
        self, pixels: Pixels, preprocessing: NaFlexPreprocessing, *, patches: bool
    ) -> ImageFeatures:
        """Features of images of any shapes, which go through the tower by their budgets."""
        pooled = torch.empty((len(pixels), self.dim), device=self.device)
        maps: dict[int, Tensor] = {}
        for places, batch in preprocessing.passes(list(pixels), self.device):
            values = batch.patches.to(DTYPES[self.precision])
            with torch.inference_mode():
                own, tokens = self._patched_features(
                    replace(batch, patches=values), patches=patches
                )
            pooled[places] = own[: len(places)].float()
            if tokens is not None:
                own_maps = (tokens[row, batch.mask[row]] for row in range(len(places)))
                maps |= {p: map_.float().clone() for p, map_ in zip(places, own_maps, strict=True)}
        in_order = [maps[place] for place in range(len(pixels))] if patches else None
        return ImageFeatures(pooled, in_order)

    def encode_texts(self, texts: Sequence[str], path: TextPath = "short") -> Float[Tensor, "t d"]:
        """Features of texts, cleaned, padded and truncated as the model was trained."""
        if path not in self.text_paths:
            raise UsageError(
                f"{self.name} has no {path} text path, only {', '.join(self.text_paths)}."
            )
        with torch.inference_mode():
            features = self.text_tower(texts, path)
        return features.float().clone()

    # Training

    def trainable(self) -> Self:
        """A twin in float32 with weights of its own, which a training loop may change.

        Its fingerprint is nobody's: what it computes is not to be found in a cache.
        """
        twin = copy.copy(self)
        twin.precision = "fp32"
        for computed in ("model", "tower", "_quantised"):
            twin.__dict__.pop(computed, None)
        twin._changing = True
        twin.__dict__["fingerprint"] = secrets.token_hex(16)
        return twin

    def image_tower(
        self, inputs: Float[Tensor, "b 3 h w"] | PatchBatch, *, patches: bool = False
    ) -> tuple[Float[Tensor, "b d"], Float[Tensor, "b p d"] | None]:
        """As `encode_images`, of normalised pixels in the tower's format, and with gradients."""
        if isinstance(inputs, PatchBatch):
            return self._patched_features(inputs, patches=patches)
        return self._image_features(inputs, patches=patches)

    def text_tower(self, texts: Sequence[str], path: TextPath = "short") -> Float[Tensor, "t d"]:
        """As `encode_texts`, with gradients."""
        return self._text_features(texts) if path == "short" else self._path_features(texts, path)

    def save(self, folder: Path) -> None:
        """Write the weights in memory as a checkpoint in the layout that they were read from.

        The folder opens under the same family's prefix, or by its bare path.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.files.write(folder, self.model)

    @cached_property
    def _scalars(self) -> dict[str, float]:
        names = ("logit_scale", "logit_bias")
        found: dict[str, float] = {}
        for path in self.files.weights:
            if path.suffix == ".safetensors":
                found |= weights.read_scalars(path, names)
        if "logit_scale" not in found:
            parts = ((name, getattr(self.model, name, None)) for name in names)
            found = {name: part.float().item() for name, part in parts if part is not None}
        return found

    def _scalar(self, name: str) -> float | None:
        if not self._changing:
            return self._scalars.get(name)
        part = getattr(self.model, name, None)
        return None if part is None else part.float().item()

    @property
    def logit_scale(self) -> float:
        """The factor on cosines; loads no tower unless the weights are a pickle."""
        return torch.tensor(self._scalar("logit_scale")).exp().item()

    @property
    def logit_bias(self) -> float:
        """The offset added to scaled cosines; 0 for a softmax model."""
        return self._scalar("logit_bias") or 0.0
