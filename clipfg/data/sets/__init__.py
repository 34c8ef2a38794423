"""Data sets that are called by name, each read in its official layout."""
