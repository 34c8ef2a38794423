"""Encoders of open_clip."""
