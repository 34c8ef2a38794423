"""Encoders of open_clip: pretrained tags, and folders in its own layout.

The library itself, which takes two seconds to import, is loaded with the weights.
"""

import copy
import warnings
from collections.abc import Mapping, Sequence
from functools import cached_property
from types import ModuleType
from typing import Any, Unpack, final

from torch import Tensor, nn

from clipfg.encoders.base import Encoder
from clipfg.encoders.checkpoint import CheckpointEncoder, EncoderOptions
from clipfg.encoders.open_clip.files import OpenClipFiles, files_in_folder, files_of_tag
from clipfg.encoders.open_clip.texts import encode_tokens, put_positions_first
from clipfg.encoders.preprocessing import Interpolation, Preprocessing, channels
from clipfg.encoders.towers import VisionTower
from clipfg.encoders.towers.open_clip import open_clip_tower
from clipfg.errors import DataError, MissingError, UsageError
from clipfg.paths import expanded

RESIZING = {"shortest": "crop", "longest": "pad", "squash": "squash"}


def load(rest: str, *, offline: bool, **options: Unpack[EncoderOptions]) -> Encoder:
    """The encoder of `ARCH/TAG`, or of `local-dir:PATH`, a folder in open_clip's layout."""
    scheme, colon, path = rest.partition(":")
    folder = expanded(path)
    if not colon:
        files = files_of_tag(rest, offline=offline)
    elif scheme != "local-dir":
        raise UsageError(f"Expected open_clip:ARCH/TAG or open_clip:local-dir:PATH, got {rest!r}.")
    elif not folder.is_dir():
        raise MissingError(f"Expected a folder with a model, got {path!r}, which is not there.")
    else:
        files = files_in_folder(folder, offline=offline)
    return OpenClipEncoder(f"open_clip:{rest}", files, **options)


@final
class OpenClipEncoder(CheckpointEncoder[OpenClipFiles]):
    """An open_clip model with its own tokenizer, text cleaning and preprocessing.

    Scoring is `"sigmoid"` where the model was trained with a logit bias (SigLIP). Raises
    `DataError` for a configuration without a vision and a text tower.
    """

    def _configure(self) -> None:
        config = self.files.model
        try:
            self.dim = int(config["embed_dim"])
            self.preprocessing = preprocessing_of(config["vision_cfg"], self.files.preprocessing)
            self.context_length = int(config["text_cfg"].get("context_length", 77))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(
                "Expected usable embed_dim, vision_cfg and text_cfg in the open_clip configuration"
                f" of {self.name}, got others ({error})."
            ) from None
        self.scoring = "softmax" if config.get("init_logit_bias") is None else "sigmoid"

    def _facts(self) -> Mapping[str, Any]:
        return {"family": "open_clip", "model": self.files.model}

    def _build(self) -> nn.Module:
        """open_clip's `CLIP`, `CustomTextCLIP` or `CoCa`."""
        library = import_open_clip()
        config = copy.deepcopy(dict(self.files.model))
        config["vision_cfg"]["timm_model_pretrained"] = False
        custom = config.pop("custom_text", False) or self.files.text_tower is not None
        if self.files.text_tower is not None:
            # Its weights are part of the checkpoint, never fetched on their own.
            tower = str(self.files.text_tower.parent)
            config["text_cfg"].update(hf_model_name=tower, hf_model_pretrained=False)
        kind: type[nn.Module] = library.CLIP
        if custom:
            kind = library.CoCa if "multimodal_cfg" in config else library.CustomTextCLIP
        model = kind(**config)
        library.load_checkpoint(model, str(self.files.weights[0]), weights_only=True)
        put_positions_first(model)
        return model

    @cached_property
    def tokenizer(self) -> Any:
        """open_clip's own tokenizer object, text cleaning included."""
        library = import_open_clip()
        text = self.files.model["text_cfg"]
        settings = dict(text.get("tokenizer_kwargs") or {})
        if "bpe_path" in settings:
            settings["bpe_path"] = str(self.files.tokenizer[0])
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

    def _image_features(self, inputs: Tensor, *, patches: bool) -> tuple[Tensor, Tensor | None]:
        if patches:
            return self._with_patches(inputs)
        return self.tower.pooled(inputs), None

    def _pooled(self, inputs: Tensor) -> Tensor:
        towers: Any = self.model
        features: Tensor = towers.encode_image(inputs)
        return features

    @cached_property
    def tower(self) -> VisionTower:
        """The inside of `model.visual`."""
        return open_clip_tower(self.model.visual, self._pooled)

    def _text_features(self, texts: Sequence[str]) -> Tensor:
        return encode_tokens(self.model, self.tokenizer(list(texts)).to(self.device))

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each cleaned text, special ones included, before any truncation."""
        tokenizer = self.tokenizer
        if hasattr(tokenizer, "encode"):
            return [len(tokenizer.encode(text)) + 2 for text in texts]
        if not texts:
            return []
        cleaned = [tokenizer.clean_fn(text) for text in texts]
        return [len(ids) for ids in tokenizer.tokenizer(cleaned, verbose=False)["input_ids"]]


def preprocessing_of(vision: Mapping[str, Any], given: Mapping[str, Any]) -> Preprocessing:
    """The equivalent of open_clip's `preprocess_cfg`; the tower's own size decides, as there."""
    size = vision.get("image_size", 224)
    rows, columns = (size, size) if isinstance(size, int) else size
    known = {key: value for key, value in given.items() if value is not None}
    resize = RESIZING[known.get("resize_mode", "shortest")]
    interpolation: Interpolation = "bicubic"
    # For a crop that is not square, open_clip uses no other.
    if known.get("interpolation") == "bilinear" and (resize != "crop" or rows == columns):
        interpolation = "bilinear"
    statistics: dict[str, Any] = {
        key: channels(known[key]) for key in ("mean", "std") if key in known
    }
    return Preprocessing(
        size=(int(rows), int(columns)),
        resize=resize,  # type: ignore[arg-type]
        interpolation=interpolation,
        fill=int(known.get("fill_color", 0)),
        **statistics,
    )


def import_open_clip() -> ModuleType:
    """The library, imported without its own warnings, which do not concern a user."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        import open_clip

        return open_clip
