"""Heads that learn from labels of whole bags."""
