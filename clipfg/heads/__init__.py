"""Classifiers on features, by name."""

from clipfg.heads.base import HEADS, Head

__all__ = ["HEADS", "Head"]
