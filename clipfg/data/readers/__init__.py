"""Formats in which people keep images, labels and class names."""
