"""Evidence for a decision: where an image shows a text, and whether the score depends on it."""

from clipfg.explaining.methods import METHODS, Method

__all__ = ["METHODS", "Method"]
