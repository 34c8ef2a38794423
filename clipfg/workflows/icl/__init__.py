"""`clipfg demos` and `clipfg icl`."""
