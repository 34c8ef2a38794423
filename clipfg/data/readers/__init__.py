"""Formats in which people keep pictures, labels and class names."""
