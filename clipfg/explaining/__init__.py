"""Evidence for a decision: where in an image a class or a phrase is seen, and whether that is so."""

from clipfg.explaining.methods import METHODS, Method

__all__ = ["METHODS", "Method"]
