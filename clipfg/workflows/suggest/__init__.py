"""`clipfg suggest`."""
