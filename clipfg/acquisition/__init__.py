"""Active learning: which images are worth a label."""
