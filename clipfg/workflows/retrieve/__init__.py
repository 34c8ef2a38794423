"""`clipfg retrieve`."""
