"""Translates the settings of transformers' image processors to `Preprocessing`."""

from collections.abc import Mapping
from typing import Any

from PIL import Image

from clipfg.encoders.preprocessing import Preprocessing, channels
from clipfg.errors import DataError

CLIP: dict[str, Any] = {
    "size": {"shortest_edge": 224},
    "do_center_crop": True,
    "crop_size": {"height": 224, "width": 224},
    "resample": 3,
    "image_mean": (0.48145466, 0.4578275, 0.40821073),
    "image_std": (0.26862954, 0.26130258, 0.27577711),
}
SQUASH: dict[str, Any] = {
    "size": {"height": 224, "width": 224},
    "do_center_crop": False,
    "image_mean": (0.5, 0.5, 0.5),
    "image_std": (0.5, 0.5, 0.5),
}

DEFAULTS: dict[str, dict[str, Any]] = {
    "CLIP": CLIP,
    "ChineseCLIP": CLIP,
    "Siglip": SQUASH | {"resample": 3},
    "ViT": SQUASH | {"resample": 2},
}
"""The defaults of each processor, for settings that a file leaves out."""


def preprocessing_of(settings: Mapping[str, Any]) -> Preprocessing:
    """A fixed-size preprocessing from the settings of `preprocessor_config.json`.

    Raises `DataError` for a processor without a fixed input size (no resize, or a resize to a range
    of sizes) or with an unusual scaling.
    """
    kind = _kind(settings)
    given = {key: value for key, value in settings.items() if value is not None}
    known = {**DEFAULTS.get(kind, {}), **given}
    for step in ("do_resize", "do_rescale"):
        if not known.get(step, True):
            raise DataError(
                f"Expected an image processor that resizes and rescales, got no {step}."
            )
    if known.get("rescale_offset"):
        raise DataError("Expected pixels scaled from zero, got an image processor with an offset.")
    try:
        return _translate(known, is_clip=DEFAULTS.get(kind) is CLIP)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"Expected an image processor with a fixed size, got {kind or 'one'} with unusable"
            f" settings ({error})."
        ) from None


def _kind(settings: Mapping[str, Any]) -> str:
    name = settings.get("image_processor_type") or settings.get("feature_extractor_type") or ""
    for ending in ("Fast", "Pil", "ImageProcessor", "FeatureExtractor"):
        name = str(name).removesuffix(ending)
    return name


def _translate(known: Mapping[str, Any], *, is_clip: bool) -> Preprocessing:
    size = known["size"]
    if isinstance(size, int):  # the format of older files
        size = {"shortest_edge": size} if is_clip else {"height": size, "width": size}
    mean, std = _statistics(known)
    resample = known.get("resample", known.get("interpolation", 2))
    if resample not in list(Image.Resampling):
        raise DataError(f"Expected one of Pillow's resampling filters (0 to 5), got {resample!r}.")
    common: dict[str, Any] = {
        "interpolation": Image.Resampling(resample).name.lower(),
        "mean": mean,
        "std": std,
        "crop_rounding": "down",
    }
    crop = None
    if known.get("do_center_crop"):
        crop = known["crop_size"]
        crop = (crop, crop) if isinstance(crop, int) else (crop["height"], crop["width"])
    if "shortest_edge" in size and "longest_edge" not in size:
        if crop is None:
            raise DataError("Expected a fixed input size, got a resize of one side without a crop.")
        return Preprocessing(crop, "crop", shortest=int(size["shortest_edge"]), **common)
    square = (int(size["height"]), int(size["width"]))
    if crop not in (None, square):
        raise DataError(f"Expected a crop of the resized {square}, got one of {crop}.")
    return Preprocessing(square, "squash", **common)


def _statistics(known: Mapping[str, Any]) -> tuple[Any, Any]:
    """Mean and deviation for pixels from 0 to 1, with any other scaling factor folded in."""
    scale = float(known.get("rescale_factor", 1 / 255)) * 255
    if not known.get("do_normalize", True):
        return (0.0,) * 3, (1 / scale,) * 3
    mean, std = channels(known["image_mean"]), channels(known["image_std"])
    if abs(scale - 1) <= 1e-6:
        return mean, std
    return tuple(value / scale for value in mean), tuple(value / scale for value in std)
