"""Data sets, models and prompts by name: listed, shown, fetched."""
