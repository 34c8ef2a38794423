"""`clipfg zeroshot`."""
