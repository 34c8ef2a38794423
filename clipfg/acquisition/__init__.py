"""Active learning: which pictures are worth a label."""
