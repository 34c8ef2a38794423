"""Classifiers on features, by name."""

from clipfg.heads.base import HEADS, Head
from clipfg.heads.saving import SavedHead, load_head, save_head

__all__ = ["HEADS", "Head", "SavedHead", "load_head", "save_head"]
