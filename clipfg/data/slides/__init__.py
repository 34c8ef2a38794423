"""Pictures too large for memory, read tile by tile."""
