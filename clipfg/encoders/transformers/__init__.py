"""Encoders of transformers."""
