"""A labelled set of features condensed to a few keys a class, by name."""

from clipfg.coresets.base import CORESETS, Coreset, CoresetKeys, SelectionCoreset, make_coreset

__all__ = ["CORESETS", "Coreset", "CoresetKeys", "SelectionCoreset", "make_coreset"]
