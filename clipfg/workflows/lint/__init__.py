"""`clipfg lint`."""
