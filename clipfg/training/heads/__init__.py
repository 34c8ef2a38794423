"""Heads that learn with the encoder itself: its weights, or the words before class names.

They are in the registry of `clipfg.heads` and are fitted like any head, with the encoder as `base`.
"""

from clipfg.training.heads.base import Base

__all__ = ["Base"]
