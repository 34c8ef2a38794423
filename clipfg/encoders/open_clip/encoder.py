"""Encoders of open_clip: pretrained tags, and folders in its own layout.

A folder holds `open_clip_config.json` (`model_cfg`, `preprocess_cfg`), the weights, and whatever
its tokenizer or its Hugging Face text tower needs. Configurations are read as plain JSON: the
library itself, which takes two seconds to import, is loaded with the weights.
"""

import copy
import warnings
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any, final

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from clipfg.encoders.base import DTYPES, ImageFeatures, Precision
from clipfg.encoders.checkpoint import CheckpointEncoder
from clipfg.encoders.open_clip.files import OpenClipFiles
from clipfg.encoders.open_clip.texts import encode_tokens
from clipfg.encoders.precision import settle
from clipfg.encoders.preprocessing import Interpolation, Preprocessing
from clipfg.encoders.weights import (
    Digest,
    check_readable,
    damaged,
    file_digest,
    fingerprint_of,
)
from clipfg.errors import DataError

RESIZING = {"shortest": "crop", "longest": "pad", "squash": "squash"}


@final
class OpenClipEncoder(CheckpointEncoder):
    """An open_clip model with its own tokenizer, text cleaning and preprocessing.

    Scoring is `"sigmoid"` where the model was trained with a logit bias (SigLIP). Raises
    `DataError` for a configuration that names no vision and text tower.
    """

    def __init__(
        self,
        name: str,
        files: OpenClipFiles,
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
        config = files.model
        try:
            self.dim = int(config["embed_dim"])
            self.preprocessing = preprocessing_of(config["vision_cfg"], files.preprocessing)
            text = config["text_cfg"]
            self.context_length = int(text.get("context_length", 77))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(
                f"Expected embed_dim, vision_cfg and text_cfg in the open_clip configuration of"
                f" {name}, got one without or with an odd {error}."
            ) from None
        self.scoring = "softmax" if config.get("init_logit_bias") is None else "sigmoid"

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the files, the configuration, the preprocessing and the precision."""
        facts = {
            "family": "open_clip",
            "model": self.files.model,
            "preprocessing": vars(self.preprocessing),
            "precision": self.precision,
        }
        return fingerprint_of(facts, self.files.all(), self._digest)

    @cached_property
    def model(self) -> nn.Module:
        """open_clip's `CLIP`, `CustomTextCLIP` or `CoCa`; in evaluation mode, no gradients."""
        check_readable(self.files.weights)
        library = import_open_clip()
        config = copy.deepcopy(dict(self.files.model))
        config["vision_cfg"]["timm_model_pretrained"] = False
        custom = config.pop("custom_text", False) or self.files.text_tower is not None
        if self.files.text_tower is not None:
            # Its weights come with the checkpoint, never on their own.
            tower = str(self.files.text_tower.parent)
            config["text_cfg"].update(hf_model_name=tower, hf_model_pretrained=False)
        kind: type[nn.Module] = library.CLIP
        if custom:
            kind = library.CoCa if "multimodal_cfg" in config else library.CustomTextCLIP
        try:
            model = kind(**config)
            library.load_checkpoint(model, str(self.files.weights), weights_only=True)
        except (RuntimeError, TypeError, ValueError, KeyError, AttributeError, OSError) as error:
            raise damaged(self.files.weights, error) from None
        return settle(model, self.device, self.precision)

    @cached_property
    def tokenizer(self) -> Any:
        """open_clip's own tokenizer object, text cleaning included."""
        library = import_open_clip()
        text = self.files.model["text_cfg"]
        settings = dict(text.get("tokenizer_kwargs") or {})
        if vocabulary := settings.get("bpe_path"):
            settings["bpe_path"] = str(self.files.beside(vocabulary))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # it leaves the vocabulary file open
            if source := self.files.tokenizer_source:
                return library.tokenizer.HFTokenizer(
                    str(source),
                    context_length=self.context_length,
                    tokenizer_mode=text.get("tokenizer_mode"),
                    trust_remote_code=False,
                    local_files_only=True,
                    **settings,
                )
            return library.SimpleTokenizer(context_length=self.context_length, **settings)

    @property
    def weight_files(self) -> tuple[Path, ...]:
        """The one file of the checkpoint."""
        return (self.files.weights,)

    def encode_images(
        self, pixels: UInt8[Tensor, "b 3 h w"], *, patches: bool = False
    ) -> ImageFeatures:
        """Features of resized images; patch tokens for vision transformers."""
        inputs = self.preprocessing.normalise(pixels.to(self.device)).to(DTYPES[self.precision])
        towers: Any = self.model
        with torch.inference_mode():
            if patches:
                pooled, tokens = _with_patches(towers.visual, inputs)
            else:
                pooled, tokens = towers.encode_image(inputs), None
        # Copied outside, so that heads may train on what comes out.
        return ImageFeatures(
            pooled.float().clone(), None if tokens is None else tokens.float().clone()
        )

    def encode_texts(self, texts: Sequence[str]) -> Float[Tensor, "t d"]:
        """Features of texts, cleaned and cut as the model's own tokenizer does it."""
        tokens = self.tokenizer(list(texts)).to(self.device)
        with torch.inference_mode():
            features = encode_tokens(self.model, tokens)
        return features.float().clone()

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each cleaned text, special ones included, before any cut."""
        tokenizer = self.tokenizer
        if hasattr(tokenizer, "encode"):
            return [len(tokenizer.encode(text)) + 2 for text in texts]
        cleaned = [tokenizer.clean_fn(text) for text in texts]
        return [len(ids) for ids in tokenizer.tokenizer(cleaned, verbose=False)["input_ids"]]


def preprocessing_of(vision: Mapping[str, Any], given: Mapping[str, Any]) -> Preprocessing:
    """open_clip's `preprocess_cfg` in our words; the tower's own size decides, as it does there."""
    size = vision.get("image_size", 224)
    rows, columns = (size, size) if isinstance(size, int) else size
    known = {key: value for key, value in given.items() if value is not None}
    resize = RESIZING[known.get("resize_mode", "shortest")]
    interpolation: Interpolation = (
        "bilinear" if known.get("interpolation") == "bilinear" else "bicubic"
    )
    if resize == "crop" and rows != columns:
        interpolation = "bicubic"  # its resize for targets that are not square knows no other
    statistics: dict[str, Any] = {
        key: _triple(known[key]) for key in ("mean", "std") if key in known
    }
    return Preprocessing(
        size=(int(rows), int(columns)),
        resize=resize,  # type: ignore[arg-type]
        interpolation=interpolation,
        fill=int(known.get("fill_color", 0)),
        **statistics,
    )


def _triple(value: float | Sequence[float]) -> tuple[float, float, float]:
    channels = [float(value)] * 3 if isinstance(value, int | float) else [float(v) for v in value]
    red, green, blue = channels
    return red, green, blue


def import_open_clip() -> ModuleType:
    """The library, imported without the warnings of its own that are no concern of a user's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        import open_clip

        return open_clip


def _with_patches(visual: Any, inputs: Tensor) -> tuple[Tensor, Tensor | None]:
    """Pooled features, and patch tokens after the last norm where the tower is a ViT."""
    trunk = getattr(visual, "trunk", visual)
    is_vit = hasattr(trunk, "patch_embed") if trunk is not visual else hasattr(visual, "ln_post")
    if not is_vit or getattr(visual, "attn_pool", None) is not None:
        return visual(inputs), None
    layers = visual.forward_intermediates(
        inputs, indices=1, normalize_intermediates=True, output_fmt="NLC"
    )
    tokens = layers["image_intermediates"][-1]
    if trunk is visual:
        return layers["image_features"], tokens if visual.proj is None else tokens @ visual.proj
    return layers["image_features"], visual.head(tokens)
