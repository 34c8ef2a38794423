"""A labelled set of features condensed to a few keys a class, by name."""

from clipfg.coresets.base import CORESETS, Condensed, Coreset, Selection, make_coreset

__all__ = ["CORESETS", "Condensed", "Coreset", "Selection", "make_coreset"]
