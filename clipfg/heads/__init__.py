"""Classifiers on features, by name."""

from clipfg.heads.base import HEADS, FeatureSets, Head
from clipfg.heads.saving import SavedHead, load_head, save_head

__all__ = ["HEADS", "FeatureSets", "Head", "SavedHead", "load_head", "save_head"]
