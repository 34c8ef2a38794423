"""The losses that recipes add up, each a term by name."""

from clipfg.training.terms.base import TERMS, Context, Term

__all__ = ["TERMS", "Context", "Term"]
