"""Dual encoders of transformers: CLIP, SigLIP, SigLIP 2, MetaCLIP 2, VisionTextDualEncoder."""

import string
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, final

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from clipfg.encoders.base import DTYPES, ImageFeatures, Precision, Scoring
from clipfg.encoders.checkpoint import CheckpointEncoder
from clipfg.encoders.precision import settle
from clipfg.encoders.preprocessing import Preprocessing
from clipfg.encoders.transformers.files import TransformersFiles
from clipfg.encoders.transformers.image_processors import preprocessing_of
from clipfg.encoders.weights import (
    Digest,
    check_readable,
    damaged,
    file_digest,
    fingerprint_of,
)
from clipfg.errors import DataError, MissingError, UsageError
from clipfg.registry import closest


@dataclass(frozen=True)
class Architecture:
    """What sets one model type apart.

    Parameters
    ----------
    scoring
        How its logits become probabilities.
    pad_to_end
        Texts are padded to the context length, and no mask hides the padding: the text tower was
        trained to read its last position (SigLIP).
    lower
        Texts are lower-cased before the tokenizer, which in published checkpoints may fail to.
    naflex
        The image tower takes patches in place of an image.
    """

    scoring: Scoring = "softmax"
    pad_to_end: bool = False
    lower: bool = False
    naflex: bool = False


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


@final
class TransformersEncoder(CheckpointEncoder):
    """A dual encoder that transformers knows, with the text rules of its architecture.

    Remote code is never executed. Raises `UsageError` for a model type that is no dual encoder.
    """

    def __init__(
        self,
        name: str,
        files: TransformersFiles,
        *,
        precision: Precision = "fp32",
        device: torch.device | None = None,
        digest: Digest = file_digest,
    ) -> None:
        self.name = name
        self.files = files
        self.precision = precision
        self.device = device or torch.device("cpu")
        self._digest = digest
        kind = str(files.config.get("model_type"))
        if kind not in ARCHITECTURES:
            raise UsageError(
                f"Expected a dual encoder ({', '.join(ARCHITECTURES)}),"
                f" got {name} of type {kind!r}.{closest(kind, ARCHITECTURES)}"
            )
        self.architecture = ARCHITECTURES[kind]
        self.scoring = self.architecture.scoring
        vision, text = files.config.get("vision_config"), files.config.get("text_config")
        self._vision: dict[str, Any] = vision or {}
        self._text: dict[str, Any] = text or {}
        self.dim = self._width(kind)
        self.context_length = self._longest_text()
        self.preprocessing = self._preprocessing()

    def _width(self, kind: str) -> int:
        if kind.startswith("siglip"):
            return int(self._vision.get("hidden_size", 768))
        default = 768 if kind == "altclip" else 512
        return int(self.files.config.get("projection_dim", default))

    def _longest_text(self) -> int:
        """The tokenizer's own limit, and never more than there are positions."""
        kind = str(self.files.config["model_type"])
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
        # A square grid of as many patches as the processor would spend: every image of a batch
        # has one shape, at the price of the aspect ratio.
        patch = int(settings.get("patch_size", 16))
        side = int(int(settings.get("max_num_patches", 256)) ** 0.5) * patch
        fixed = {"size": {"height": side, "width": side}, "image_processor_type": "Siglip"}
        return preprocessing_of({"resample": 2, **settings, **fixed})

    @cached_property
    def _tokenizer_settings(self) -> dict[str, Any]:
        from clipfg.encoders.weights import read_config

        path = self.files.folder / "tokenizer_config.json"
        return read_config(path) if path.is_file() else {}

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the files, the configuration, the preprocessing and the precision."""
        facts = {
            "family": "transformers",
            "model": self.files.config,
            "preprocessing": vars(self.preprocessing),
            "context": self.context_length,
            "precision": self.precision,
        }
        return fingerprint_of(facts, [*self.files.weights, *self.files.tokenizer], self._digest)

    @cached_property
    def model(self) -> nn.Module:
        """The model class of transformers; in evaluation mode, no gradients."""
        for path in self.files.weights:
            check_readable(path)
        from transformers import AutoModel

        try:
            with _quiet():
                model, report = AutoModel.from_pretrained(
                    self.files.folder,
                    local_files_only=True,
                    trust_remote_code=False,
                    dtype=torch.float32,
                    output_loading_info=True,
                )
        except (RuntimeError, OSError, ValueError, KeyError, TypeError) as error:
            raise damaged(self.files.weights[0], error) from None
        if missing := sorted(report["missing_keys"]):
            raise DataError(
                f"{self.files.weights[0]} lacks {len(missing)} of the model's weights (first:"
                f" {missing[0]}); fetch the checkpoint again."
            )
        return settle(model, self.device, self.precision)

    @cached_property
    def tokenizer(self) -> Any:
        """The checkpoint's own tokenizer."""
        from transformers import AutoTokenizer

        if self._tokenizer_settings.get("auto_map"):
            raise DataError(
                f"The tokenizer of {self.name} asks for code of its own, never executed."
            )
        try:
            return AutoTokenizer.from_pretrained(
                self.files.folder, local_files_only=True, trust_remote_code=False
            )
        except ImportError:
            raise MissingError(
                f"The tokenizer of {self.name} is kept in SentencePiece's form only; run"
                " `pip install sentencepiece protobuf`."
            ) from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise damaged(self.files.tokenizer[0], error) from None

    @property
    def weight_files(self) -> tuple[Path, ...]:
        """The shards of the checkpoint."""
        return tuple(self.files.weights)

    def encode_images(
        self, pixels: UInt8[Tensor, "b 3 h w"], *, patches: bool = False
    ) -> ImageFeatures:
        """Features of resized images; patch tokens for vision transformers."""
        inputs = self.preprocessing.normalise(pixels.to(self.device)).to(DTYPES[self.precision])
        towers: Any = self.model
        with torch.inference_mode():
            output = towers.get_image_features(**self._vision_inputs(inputs))
            tokens = _patches(self.model, output.last_hidden_state) if patches else None
        # Copied outside, so that heads may train on what comes out.
        return ImageFeatures(
            output.pooler_output.float().clone(), None if tokens is None else tokens.float().clone()
        )

    def _vision_inputs(self, pixels: Tensor) -> dict[str, Tensor]:
        if not self.architecture.naflex:
            return {"pixel_values": pixels}
        size = int(self.files.processor.get("patch_size", 16))
        batch, channels, height, width = pixels.shape
        rows, columns = height // size, width // size
        grid = pixels.reshape(batch, channels, rows, size, columns, size)
        flat = grid.permute(0, 2, 4, 3, 5, 1).reshape(batch, rows * columns, -1)
        return {
            "pixel_values": flat,
            "pixel_attention_mask": torch.ones(
                flat.shape[:2], device=flat.device, dtype=torch.long
            ),
            "spatial_shapes": torch.tensor([[rows, columns]] * batch, device=flat.device),
        }

    def _clean(self, texts: Sequence[str]) -> list[str]:
        if not self.architecture.lower:
            return list(texts)
        clean: Callable[[str], str] = str.lower
        if self._tokenizer_settings.get("tokenizer_class") == "SiglipTokenizer":
            clean = _canonical
        return [clean(text) for text in texts]

    def encode_texts(self, texts: Sequence[str]) -> Float[Tensor, "t d"]:
        """Features of texts, padded and cut as the architecture was trained."""
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
        with torch.inference_mode():
            output = towers.get_text_features(**{name: tokens[name] for name in names})
        return output.pooler_output.float().clone()

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each cleaned text, special ones included, before any cut."""
        return [len(ids) for ids in self.tokenizer(self._clean(texts), verbose=False)["input_ids"]]


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress bar and no remarks of transformers' own; what matters is raised."""
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


def _patches(model: Any, last: Tensor) -> Tensor | None:
    """Patch tokens after the last norm, projected where the architecture projects its pool."""
    if last.ndim != 3:  # a map of a convolutional tower
        return None
    projection = getattr(model, "visual_projection", None)
    if projection is None:
        return last  # SigLIP: every token is a patch, and normed
    tower = model.vision_model
    norm = getattr(tower, "post_layernorm", None)
    tokens = last[:, 1:]
    return projection(norm(tokens) if norm is not None else tokens)
