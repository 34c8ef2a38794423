"""Image-text encoders by name: `load_encoder("open_clip:ViT-B-16/dfn2b")`."""

from clipfg.encoders.base import Encoder, ImageFeatures
from clipfg.encoders.loading import load_encoder
from clipfg.encoders.preprocessing import Preprocessing

__all__ = ["Encoder", "ImageFeatures", "Preprocessing", "load_encoder"]
