"""The numbers behind `builtin:florette`."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class FloretteRecipe:
    """How florette is built and trained (`clipfg.training.florette.train`).

    Captions in mixed styles, half of the images free combinations of attributes, and a loss
    that ties each part's patches to that part's phrase. The numbers keep one run within minutes
    on two CPU cores, and leave errors on purpose: a built-in model that knew everything would
    show no difference between one method and the next.
    """

    images: int = 60_000
    """Different training images; each is met `samples / images` times, half mirrored."""
    samples: int = 115_000
    batch_size: int = 256
    learning_rate: float = 1.5e-3
    warmup: float = 0.06
    """Share of the steps in which the learning rate climbs; a cosine follows."""
    weight_decay: float = 0.1
    gradient_clip: float = 1.0
    long_share: float = 0.6
    """Share of the captions that name every attribute; names and short ones make up the rest."""
    region_weight: float = 0.5
    """Weight of the region-phrase loss beside the contrastive loss."""
    max_logit_scale: float = 100.0

    image_size: int = 64
    patch_size: int = 8
    width: int = 128
    layers: int = 4
    text_width: int = 96
    text_layers: int = 3
    context_length: int = 48
    embedding: int = 96
    merges: int = 600
    """At most so many byte-pair merges; learning stops when every word of the corpus is whole."""

    def config(self, vocab_size: int, merges_file: str) -> dict[str, Any]:
        """The model as open_clip's `open_clip_config.json` has it."""
        half = [0.5, 0.5, 0.5]
        return {
            "model_cfg": {
                "embed_dim": self.embedding,
                "custom_text": True,
                "vision_cfg": {
                    "image_size": self.image_size,
                    "patch_size": self.patch_size,
                    "width": self.width,
                    "layers": self.layers,
                    "head_width": 32,
                    "pool_type": "avg",
                },
                "text_cfg": {
                    "context_length": self.context_length,
                    "vocab_size": vocab_size,
                    "tokenizer_kwargs": {"bpe_path": merges_file},
                    "width": self.text_width,
                    "heads": self.text_width // 32,
                    "layers": self.text_layers,
                },
            },
            "preprocess_cfg": {
                "mean": half,
                "std": half,
                "interpolation": "bicubic",
                "resize_mode": "shortest",
            },
        }
