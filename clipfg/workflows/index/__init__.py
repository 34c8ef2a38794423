"""`clipfg index`."""
