"""The architecture and hyperparameters of `builtin:florette`."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class FloretteRecipe:
    """How florette is built and trained (`clipfg.training.florette.train`).

    Captions in mixed styles, half of the images free combinations of attributes, and a loss that
    ties each part's patches to that part's phrase. One run takes minutes on two CPU cores. The
    model is undertrained on purpose: with a perfect one, no method could improve on another.
    """

    images: int = 60_000
    """Distinct training images; each is seen `samples / images` times, half of them mirrored."""
    samples: int = 115_000
    batch_size: int = 256
    learning_rate: float = 1.5e-3
    warmup: float = 0.06
    """Share of the steps with a rising learning rate; a cosine decay follows."""
    weight_decay: float = 0.1
    gradient_clip: float = 1.0
    long_share: float = 0.6
    """Share of the captions that name every attribute; the rest are names and short captions."""
    region_weight: float = 0.5
    """Weight of the region-phrase loss relative to the contrastive loss."""
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
    """Maximum number of byte-pair merges; fewer once every word of the corpus is one token."""

    def config(self, vocab_size: int, merges_file: str) -> dict[str, Any]:
        """The content of open_clip's `open_clip_config.json`."""
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
