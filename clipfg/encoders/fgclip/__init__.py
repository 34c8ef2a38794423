"""FG-CLIP 1 (arXiv:2505.05071) and FG-CLIP 2 (arXiv:2510.10921), in native code."""
