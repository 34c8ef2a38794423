"""`clipfg coreset`."""
