"""Image-text encoders by name: `load_encoder("open_clip:ViT-B-16/dfn2b")`."""

from typing import TYPE_CHECKING

from clipfg.lazy import exported

if TYPE_CHECKING:
    from clipfg.encoders.base import Encoder, ImageFeatures
    from clipfg.encoders.loading import load_encoder
    from clipfg.encoders.preprocessing import Preprocessing
else:
    homes = {"Encoder": "base", "ImageFeatures": "base", "load_encoder": "loading"}
    __getattr__, __dir__ = exported(__name__, homes | {"Preprocessing": "preprocessing"})

__all__ = ["Encoder", "ImageFeatures", "Preprocessing", "load_encoder"]
