"""`clipfg bags`."""
