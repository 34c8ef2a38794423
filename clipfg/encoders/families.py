"""The registry of encoder families, by the prefix of a model's name."""

from typing import Protocol, Unpack

from clipfg.encoders.base import Encoder
from clipfg.encoders.checkpoint import EncoderOptions
from clipfg.registry import Registry


class Family(Protocol):
    """Makes an encoder from what follows the colon of its name."""

    def __call__(self, rest: str, *, offline: bool, **options: Unpack[EncoderOptions]) -> Encoder:
        """Read configurations and find weights, downloading unless `offline`; load nothing."""
        ...


FAMILIES: Registry[Family] = Registry("encoder family", "clipfg.encoders")
FAMILIES.register_all(
    "clipfg.encoders",
    ("open_clip", "open_clip.encoder:load", "open_clip's models and folders"),
    ("hf", "transformers.encoder:load", "Models in transformers' layout"),
    ("fgclip", "fgclip.encoder:load", "FG-CLIP 1 and 2"),
    ("builtin", "builtin:load", "Models that ship with clipfg"),
)
