"""Small trainable modules that stand beside an encoder."""
